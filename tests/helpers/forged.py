"""Run folders whose files were changed by somebody who knows how they hang together."""

import json

from autoencoder.runs.files import fingerprint
from minigrad import checkpoint


def forge_config(folder, **changes):
    """Change settings in config.json, and the checksum in model.npz that ties the two together."""
    path = folder / "config.json"
    write_config(folder, {**json.loads(path.read_text()), **changes})


def write_config(folder, config):
    """Write any JSON as config.json, tied to the model."""
    (folder / "config.json").write_text(json.dumps(config))
    arrays, about = checkpoint.load(folder / "model.npz")
    about["run"] = {"settings": fingerprint(config)}
    checkpoint.save(folder / "model.npz", arrays, about)
