"""What notebooks show of a run: where it came to, its settings, its first figures."""

from itertools import islice

from minigrad.notebook import escaped

from .html import PNG, Table, fragment, settings_table
from .records import read_metrics
from .report import pictures

MOST_FIGURES = 3
LARGEST_FIGURE = 2**20  # bytes
STYLE = ".autoencoder-run img { max-width: 100%; height: auto; }"


def run_html(run):
    """A `Run` as HTML of bounded size: the last losses, its numbers, its settings, figures."""
    try:
        rows = read_metrics(run.folder).get("evaluation", {}).get("reconstruction", {})
    except ValueError as error:  # a notebook is no place for a traceback
        rows, damaged = {}, [str(error)]
    else:
        damaged = []
    last = {name: {"value": values[-1]} for name, values in run.history().items() if values}
    settings = {n: v for n, v in run.config.items() if v is not None and n != "split"}
    parts = [*damaged, Table("The last epoch, losses in nats per image", last)]
    if rows:
        ours = "model" if "model" in rows else None
        parts.append(Table("On the images held out, beside the baselines", rows, ours))
    small = (p for p in pictures(run.folder) if _is_small_png(run.folder / p.path))
    figures = list(islice(small, MOST_FIGURES))
    folder = escaped(str(run.folder))
    return f"""<div class="autoencoder-run">
<style>{STYLE}</style>
<p><strong>{escaped(run.title)}</strong>, in <code>{folder}</code></p>
{fragment(parts, run.folder)}
<details><summary>Settings</summary>
{fragment([settings_table(settings)], run.folder)}
</details>
{fragment(figures, run.folder)}
</div>"""


def _is_small_png(path):
    if not path.is_file() or path.stat().st_size > LARGEST_FIGURE:
        return False
    return path.read_bytes().startswith(PNG)
