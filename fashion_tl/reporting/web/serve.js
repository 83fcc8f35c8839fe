// Photos dropped anywhere on the page go to the form that they fall on, else to the one that names
// them. Without JavaScript the forms work with their buttons.
const look = document.getElementById("look");

for (const form of document.forms) form.addEventListener("submit", () => {
  const button = form.querySelector("button");
  button.textContent = "One moment …";
  button.disabled = true;
});
look.photos.addEventListener("change", () => look.requestSubmit());

document.addEventListener("dragover", event => {
  event.preventDefault();  // else the browser would leave the page, and show the photo
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", event => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", event => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (!event.dataTransfer.files.length) return;
  const form = event.target.closest("form") ?? look;
  form.photos.files = event.dataTransfer.files;
  if (form === look) look.requestSubmit();
});
