"""`dfedsam export`: a run's prompt as a PEFT adapter, for use outside."""

from __future__ import annotations

from pathlib import Path

HELP = """usage: dfedsam export FOLDER --out DIR

Write a run's mean prompt as a prompt-tuning adapter, which peft loads onto the model: PeftModel.from_pretrained(model,
DIR). DIR/dfedsam.json says how texts are to be given to it. A discrete prompt is also written as prompt.txt. The prompt
must stand before the text. Needs the extra: pip install "dfedsam[peft]".

options:
  FOLDER     a run's folder
  --out DIR  the adapter's folder, not there yet

example:
  dfedsam export runs/a --out adapters/a"""


def main(argv: list[str]) -> int:
    """Run `dfedsam export ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    folders, out, words = [], "", iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if option == "--out":
            out = value if equals else next(words, "")
        elif word.startswith("-"):
            raise ValueError(f"{word} is not an option: there is --out DIR")
        else:
            folders.append(Path(word))
    if len(folders) != 1:
        raise ValueError(f"folder is {', '.join(map(str, folders)) or 'missing'}: it must be one run's, such as runs/a")
    if not out:
        raise ValueError("out is missing: it has no default; give --out DIR")
    if Path(out).exists():
        raise ValueError(f"out is {out}: it is there already and is never overwritten; choose another folder")
    from dfedsam.blackbox.adapter import export

    print("\n".join(map(str, export(folders[0], Path(out)))))
    return 0
