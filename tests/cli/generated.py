#!/usr/bin/env python3
"""Manual pages and completions: no warnings, nothing missing, and bash's one at work.

    tests/cli/generated.py PROGRAM FOLDER      FOLDER: where the build wrote them
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, FOLDER = (os.path.abspath(p) for p in sys.argv[1:3])
FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "files.md")
WRITERS = ("train", "eval", "review", "sort", "export", "features", "merge")  # commands that leave files
COMPLETIONS = {"bash": "headstart", "zsh": "_headstart", "fish": "headstart.fish"}


def text(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        return f.read()


def plain(page):
    """A page without fonts, escapes and lines that are broken in two."""
    return re.sub(r"\\(?:f[BIR]|&)|\\(?=-)", "", page.replace(" \\\n", " "))


def program_help(*args):
    return subprocess.run([PROGRAM, *args, "--help", "all"], capture_output=True, check=True,
                          text=True).stdout


def commands():
    listed = program_help().split("Commands")[1].split("Examples:")[0]
    return re.findall(r"^  (\w+) ", listed, re.M)


def bash(*words, cwd=None):
    """What bash offers for the last word."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _headstart; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    r = subprocess.run(["bash", "-c", script, "bash", os.path.join(FOLDER, "headstart"),
                        "headstart", *words], capture_output=True, text=True, cwd=cwd, check=True)
    return sorted(filter(None, r.stdout.split("\n")))


class Generated(unittest.TestCase):
    def test_every_command_and_option_is_told(self):
        self.assertGreater(len(commands()), 5)
        for command in commands():
            page = text(f"headstart-{command}.1").replace("\\-", "-")
            self.assertIn(command, text("headstart.1"))
            for option in set(re.findall(r" --([\w-]+)", program_help(command).split("Options")[1]
                                         .split("Examples:")[0])):
                for shell in COMPLETIONS:
                    wanted = f"-l {option} " if shell == "fish" else f"--{option}"
                    self.assertIn(wanted, text(COMPLETIONS[shell]))
                self.assertIn(f"--{option}", page)

    def test_sections(self):
        for page in commands() + [""]:
            found = re.findall(r"^\.SH (.*)", text(f"headstart-{page}.1" if page else "headstart.1"), re.M)
            order = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS" if page else "COMMANDS", "OUTPUT",
                     "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"]
            may_lack = {"OUTPUT"} if not page else set() if page in WRITERS else {"FILES"}
            self.assertEqual(found, [s for s in order if s in found], page)
            self.assertLessEqual(set(order) - set(found), may_lack, page)

    def test_pages_tell_what_is_written(self):
        with open(FILES, encoding="utf-8") as f:
            parts = re.split(r"^#{2,3} (.*)$", f.read(), flags=re.M)[1:]
        n = 0
        for title, body in zip(parts[::2], parts[1::2]):
            command = re.search("`(\\w+)( [^`]*)?`", title)
            if not command or command[1] not in commands():
                continue
            page = plain(text(f"headstart-{command[1]}.1"))
            for name in re.findall(r"^\| (`.*?) \|", body, re.M):
                n += 1
                self.assertIn(f"\n.TP\n{name.replace('`', '')}\n", page, title)
        self.assertGreater(n, 80)

    def test_manual_pages_give_no_warnings(self):
        if not shutil.which("groff"):
            self.skipTest("no groff here")
        for name in ["headstart.1"] + [f"headstart-{c}.1" for c in commands()]:
            r = subprocess.run(["groff", "-man", "-ww", "-z", os.path.join(FOLDER, name)],
                               capture_output=True, text=True)
            self.assertEqual((r.returncode, r.stderr), (0, ""), name)

    def test_manual_pages_please_mandoc(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc here")
        for name in ["headstart.1"] + [f"headstart-{c}.1" for c in commands()]:
            r = subprocess.run(["mandoc", "-T", "lint", os.path.join(FOLDER, name)], capture_output=True,
                               text=True)
            # pages have a version and no date: the same sources give the same bytes
            left = [x for x in r.stdout.splitlines() if "missing date" not in x]
            self.assertEqual(left, [], name)

    def test_syntax(self):
        for shell, name in COMPLETIONS.items():
            if not shutil.which(shell):
                continue
            r = subprocess.run([shell, "-n", os.path.join(FOLDER, name)], capture_output=True,
                               text=True)
            self.assertEqual((r.returncode, r.stderr), (0, ""), name)

    @unittest.skipUnless(shutil.which("bash"), "no bash here")
    def test_bash(self):
        self.assertEqual(bash("tr"), ["train"])
        self.assertEqual(bash("train", "--prep"), ["--prepare"])
        self.assertEqual(bash("train", "--prepare", ""), ["fast", "hub", "pil", "scaled", "tf"])
        self.assertEqual(bash("train", "--prepare", "=", "t"), ["tf"])
        self.assertEqual(bash("train", "--prepare", "="), ["fast", "hub", "pil", "scaled", "tf"])
        self.assertEqual(bash("predict", "-f", ""), ["csv", "json", "text"])
        self.assertEqual(bash("backbones", ""), ["import", "list", "prune", "pull", "remove",
                                                 "verify"])
        self.assertEqual(bash("backbones", "pull", "efficientnet_v2_b0"), ["efficientnet_v2_b0"])
        self.assertEqual(bash("store", ""), ["clear", "info"])
        self.assertEqual(bash("store", "info", ""), [])
        self.assertEqual(bash("train", "--seed", ""), [])

    @unittest.skipUnless(shutil.which("bash"), "no bash here")
    def test_bash_paths(self):
        with tempfile.TemporaryDirectory() as work:
            os.mkdir(os.path.join(work, "two words"))
            open(os.path.join(work, "a 'b'.jpg"), "w").close()
            self.assertEqual(bash("train", "", cwd=work), ["two words"])
            self.assertEqual(bash("predict", "m", "", cwd=work), ["a 'b'.jpg", "two words"])
            self.assertEqual(bash("train", "x", "--val", "t", cwd=work), ["two words"])
            self.assertEqual(bash("train", "-b", "a", cwd=work), ["a 'b'.jpg"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
