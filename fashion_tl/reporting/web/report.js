// Sorts and filters each table of classes. Without JavaScript the table stays as it is.
for (const part of document.querySelectorAll(".classes")) {
  const [input, count, body] = ["input", "output", "tbody"].map(name => part.querySelector(name));
  const heads = [...part.querySelectorAll("thead th")], rows = [...body.rows];

  const filter = () => {
    const words = input.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(words);
    count.value = `${rows.filter(row => !row.hidden).length} of ${rows.length} classes`;
  };

  const value = (row, column) => {
    const cell = row.cells[column], text = cell.dataset.value ?? cell.textContent.replaceAll(",", "").trim();
    return column === 0 ? cell.textContent.trim() : text === "" ? null : Number(text);
  };

  // A class that can't be measured comes last in both directions.
  const compare = (column, sign) => (one, other) => {
    const [a, b] = [value(one, column), value(other, column)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (column === 0 ? a.localeCompare(b) : a - b);
  };

  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const before = head.getAttribute("aria-sort");
    const first = column === 0 ? "ascending" : "descending", second = column === 0 ? "descending" : "ascending";
    const order = before === first ? second : first;
    for (const other of heads) other.setAttribute("aria-sort", other === head ? order : "none");
    body.append(...rows.sort(compare(column, order === "ascending" ? 1 : -1)));
  }));

  part.querySelector(".filter").hidden = false;
  input.addEventListener("input", filter);
  filter();  // the browser keeps the typed words when the page is reloaded
}
