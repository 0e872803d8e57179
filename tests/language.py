"""Report how far the tree follows the project's language rules: `python -m tests.language [PATH …]`.

It prints four measurements and exits with status 1 if one is above its limit: the share of docstrings that open with a
clause or a preposition, the words that this project does not use, the identifiers that were replaced, and the subjects
of commits that are too long.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_CLAUSE_SHARE = 0.03
MAX_SUBJECT_CHARS = 72
LAST_COMMIT_BEFORE_THE_RULES = "748f70f"
CLAUSE_OPENINGS = re.compile(
    "(?:about|above|after|against|also|although|among|as|at|because|before|behind|below|beneath|beside|besides|between"
    "|beyond|but|by|despite|during|except|for|from|how|if|in|inside|into|instead|like|likewise|near|neither|nor|of|off"
    "|on|once|or|out|outside|over|past|per|since|so|than|that|then|though|through|to|toward|under|unless|until|up"
    "|upon|what|whatever|when|whenever|where|wherever|whether|which|while|who|whoever|whom|whose|why|with|within"
    "|without)(?![\\w'])",
    re.IGNORECASE,
)
BANNED_WORDS = (
    "whoever|somebody|nobody|everybody|anybody|likewise|hears? of|heard of|is told|are told|be told|was told|were told"
    "|told as|as ever|asks? again|asked again|says? no|said no|stranger|strangers|mortal|saturday|house|houses|desk"
    "|doors?|walls?|rooms?|waist|twins?|meeting place|life|lives"
)
BANNED = re.compile(rf"(?<![\w-])(?:{BANNED_WORDS})(?![\w])", re.IGNORECASE)
# Fixed terms that contain a banned word.
ALLOWED = re.compile(r"wall[- ](?:times?|clock|ms)|\*wall\*|help ?desk|real[- ]life|in-house", re.IGNORECASE)
# Former names of functions, classes and settings.
RETIRED_NAMES = re.compile(
    r"(?<![\w-])(?:taken_before|_nobody_signed_in|_failed_unseen|_continue_elsewhere|sufficient_session"
    r"|is_sure_enough|check_answerable|check_admitted|NotAdmitted|of_userinfo|Holdings|_repeat_or_punish|_SeeOther"
    r"|WellEnding|told_in_one_sentence|client_notes|fault_of_stranger|ways_to_sign_in|machine_accounts|Renewing"
    r"|_let_go|Mortal|half_restored|for_people|judge_[a-z_]+|SIGN_IN_[A-Z_]+|LAB_WARNING)(?!\w)"
)
TEXT_SUFFIXES = (".py", ".md", ".html", ".toml", ".yml", ".yaml", ".sh", ".cfg", ".js", ".css", ".env", ".in")
TEXT_NAMES = ("Makefile", "Dockerfile", ".env", "prepare", "run")
# This file lists the words; lock files, generated pages and other people's names are not ours to change.
EXCLUDED = ("tests/language.py", "tests/unit/test_language.py", "requirements/", "LICENSE")
# Files in which one of the words is a term of another system.
TERMS = {
    "nobody": ("user nobody", '"nobody"', "files for nobody"),
    "room": ("synapse", "roomnumber"),
    "rooms": ("synapse",),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A banned word or a docstring opening, with its place."""

    path: str
    line: int
    text: str


def tracked_files(paths: Iterable[str]) -> list[Path]:
    """Return the text files that git tracks, and new ones it does not ignore, below the given paths."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [
        ROOT / name
        for name in sorted(set(names))
        if not name.startswith(EXCLUDED)
        and (name.endswith(TEXT_SUFFIXES) or Path(name).name in TEXT_NAMES)
        and "lock" not in Path(name).stem
        and (ROOT / name).is_file()
    ]


def as_words(line: str) -> str:
    """Return a line with identifiers split into words, so that names are checked as well."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", line)
    return re.sub(r"(?<=[A-Za-z0-9])_+(?=[A-Za-z0-9])", " ", spaced).replace("_", " ")


def banned_words(files: Iterable[Path]) -> Iterator[Hit]:
    """Find every banned word."""
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            for found in BANNED.finditer(ALLOWED.sub(" ", as_words(line))):
                word = found[0].lower()
                if not any(part in name or part in line.lower() for part in TERMS.get(word, ())):
                    yield Hit(name, number, found[0])


def retired_names(files: Iterable[Path]) -> Iterator[Hit]:
    """Find every identifier that was replaced."""
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            for found in RETIRED_NAMES.finditer(line):
                yield Hit(name, number, found[0])


def long_subjects() -> list[str]:
    """Return the commit subjects that exceed the limit; a copy without git history has none to check."""
    command = ["git", "log", "--format=%s", f"{LAST_COMMIT_BEFORE_THE_RULES}..HEAD"]
    subjects = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True).stdout.splitlines()
    return [subject for subject in subjects if len(subject) > MAX_SUBJECT_CHARS]


def docstrings(files: Iterable[Path]) -> Iterator[Hit]:
    """Find the first line of every docstring in Python files, including those of attributes."""
    for file in files:
        if file.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            body = getattr(node, "body", None)
            for statement in body if isinstance(body, list) else ():
                value = statement.value if isinstance(statement, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    first_line = value.value.strip().splitlines()[0]
                    yield Hit(file.relative_to(ROOT).as_posix(), statement.lineno, first_line)


def opens_with_clause(text: str) -> bool:
    """Return whether a docstring begins with a clause or a preposition."""
    return CLAUSE_OPENINGS.match(text) is not None


@dataclass(frozen=True, slots=True)
class Report:
    """The measurements of a set of files; docstrings of tests are not counted."""

    docstrings: int
    clauses: list[Hit]
    banned: list[Hit]
    retired: list[Hit]
    long_subjects: list[str]

    @property
    def clause_share(self) -> float:
        """Share of the docstrings that open with a clause or a preposition."""
        return len(self.clauses) / max(1, self.docstrings)


def measure(paths: Iterable[str]) -> Report:
    """Measure the tracked files below the given paths."""
    files = tracked_files(paths)
    code = [file for file in files if not file.relative_to(ROOT).as_posix().startswith("tests/")]
    first_lines = list(docstrings(code))
    clauses = [hit for hit in first_lines if opens_with_clause(hit.text)]
    return Report(len(first_lines), clauses, list(banned_words(files)), list(retired_names(files)), long_subjects())


def main(paths: list[str]) -> int:
    """Print the measurements and every hit."""
    report = measure(paths or ["."])
    for hit in (*report.clauses, *report.banned, *report.retired):
        print(f"{hit.path}:{hit.line}: {hit.text}")
    for subject in report.long_subjects:
        print(subject)
    share = report.clause_share
    print(f"docstrings that open with a clause: {len(report.clauses)} of {report.docstrings} ({share:.1%})")
    print(f"banned words: {len(report.banned)}")
    print(f"retired names: {len(report.retired)}")
    print(f"commit subjects over {MAX_SUBJECT_CHARS} characters: {len(report.long_subjects)}")
    return int(share > MAX_CLAUSE_SHARE or bool(report.banned or report.retired or report.long_subjects))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
