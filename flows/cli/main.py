"""The `ferflow` command: gathers the commands, and ends each with a documented exit code."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from fer_data import missing_packages
from fer_data.core.errors import shown, told_in_one_line
from flows.cli import data, labels, models, operating, pipeline

WRONG_COMMAND_LINE = 2
INTERRUPTED = 130
EXIT_CODES = {
    0: "done",
    1: "a mistake or an error of the system, told in one line",
    WRONG_COMMAND_LINE: "a wrong command line",
    INTERRUPTED: "interrupted by Ctrl-C",
    141: "the reader of the output has gone, such as head",
}
"""What the exit codes of every command mean."""
RENAMED = {
    ("expectations",): "accept-baseline",
    ("profile",): "preset",
    ("relabel",): "review",
    ("relabels", "accept"): "accept-decisions",
    ("relabels", "config"): "label-studio-config",
    ("relabels", "import"): "import-decisions",
    ("relabels",): "import-decisions, accept-decisions or label-studio-config",
    ("weights",): "set-weights",
}
"""The commands that had other names, by their words, and their names now."""


class GroupedCommands(TyperGroup):
    """Lists the commands in its help by their panels, without Rich: to import it takes half a second."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes a section for each panel."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.commands[name]
            panel = getattr(command, "rich_help_panel", "Commands")
            panels.setdefault(panel, []).append((name, command.get_short_help_str(limit=200)))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


app = typer.Typer(
    cls=GroupedCommands,
    help="Facial-expression classifiers: from an archive of labeled faces to measured models.",
    epilog="\b\nExit codes:\n"
    + "\n".join(f"{code:>5}  {what}" for code, what in EXIT_CODES.items()),
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (pipeline, operating, data, labels, models):
    app.add_typer(module.app)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        print(f"ferflow {version('ferflow')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None: ...


def main() -> None:
    """Runs the command that was typed; what stops it is one line on the standard error."""
    words = sys.argv[1:]
    try:
        with told_in_one_line():
            commands = command_line()
            _check_name(words, commands)
            code = commands.main(words or ["--help"], prog_name="ferflow", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "ferflow"
        line = " ".join(error.format_message().split()).rstrip(".")
        sys.stderr.write(f"error: {shown(line)}; see `{command} --help`\n")
        sys.exit(WRONG_COMMAND_LINE)
    except ModuleNotFoundError as error:
        if not (words := missing_packages.in_words(error)):
            raise
        sys.exit(f"error: {words}")
    except KeyboardInterrupt:  # outside of a command, where Typer does not see it
        code = INTERRUPTED
    if code == INTERRUPTED:
        sys.stderr.write("interrupted\n")
    if code or not words:
        sys.exit(code or WRONG_COMMAND_LINE)


def command_line() -> TyperGroup:
    """The group of all commands; a command imports what it needs when it runs."""
    return cast(TyperGroup, typer.main.get_command(app))


def _check_name(words: Sequence[str], commands: TyperGroup) -> None:
    """Refuses a command that there is not, and names those that there are.

    Raises:
        TyperException: The first word is no command.
    """
    name = words[0] if words else "--help"
    if name in commands.commands or name.startswith("-"):
        return
    for old, new in RENAMED.items():
        if tuple(words[: len(old)]) == old:
            raise TyperException(f"`ferflow {' '.join(old)}` is now `ferflow {new}`")
    raise TyperException(f"no command '{name}': expected one of {', '.join(commands.commands)}")


if __name__ == "__main__":
    main()
