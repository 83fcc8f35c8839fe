"""What may stand beside a choice in ``unknown.json``: it holds one, and what was scored by it."""

from pathlib import Path
from typing import Any

from fashion_tl.config import Config
from fashion_tl.errors import ConfigError, RunError
from fashion_tl.network.weights import weights_name
from study.records import read_measured


def refuse_mixed(before: dict[str, Any], weights: str, config: Config, file: Path) -> None:
    """ConfigError if there are figures of other weights, or of this size with other settings.

    Each size has one entry, and all entries belong to one choice.
    """
    for each in (before, *before.get("other_sizes", {}).values()):
        there, settings = Config.from_dict(each["config"]), config.to_dict()
        changed = [name for name, old in there.to_dict().items() if old != settings[name]]
        if each["weights"] != weights_name(weights):
            changed = ["weights"]
        elif there.image_size != config.image_size:
            continue
        if changed:
            raise ConfigError(
                f"{file} has figures with other {' and '.join(changed)}, which belong to one "
                "choice; give the same, or name another folder with --results"
            )


def as_chosen(chosen: str, results: Path) -> dict[str, Any] | None:
    """What ``unknown.json`` holds now, if it holds anything, when all is measured by this choice.

    RunError if another process has made another choice since.
    """
    now = read_measured(results, "unknown")
    if now and now["chosen"] != chosen:
        raise RunError(
            f"{results / 'unknown.json'}: another command has chosen a score meanwhile; "
            "repeat this one"
        )
    return now


def beside(before: dict[str, Any] | None, found: dict[str, Any], config: Config) -> dict[str, Any]:
    """All of ``unknown.json``: what was ``found`` at this size, with what stays of before."""
    if before is None or tuple(before["config"]["image_size"]) == config.image_size:
        same = before if before and before["chosen"] == found["chosen"] else {}
        return found | {name: same.get(name, {}) for name in ("runs", "other_sizes")}
    size = "{}x{}".format(*config.image_size)
    return before | {"other_sizes": before.get("other_sizes", {}) | {size: found}}
