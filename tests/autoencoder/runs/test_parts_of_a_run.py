"""The pieces that a run is made of: how images are split, how it ends, what its report shows."""

import contextlib
import errno
import html
import io
import os
import re
import signal
import types
import warnings
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import autoencoder.runs.folders as folders
import autoencoder.runs.lock as lock_module
import autoencoder.runs.report as report_module
import autoencoder.runs.train as train_module
from autoencoder import datasets
from autoencoder.datasets import Dataset, load_digits
from autoencoder.runs import Config, dataset, open_run, resume, start
from autoencoder.runs.files import write_json
from autoencoder.runs.lock import Lock, NotOurs
from autoencoder.runs.records import (
    LONGEST_TEXT,
    MOST_LEVELS,
    _fits,
    _is_evaluation,
    _is_plain,
    _is_split,
    _is_summary,
    read_config,
    read_metrics,
)
from autoencoder.runs.report import report
from minigrad import checkpoint

DIGITS = load_digits()


def images_of(labels, name="mine", names=None):
    labels = np.asarray(labels)
    images = np.zeros((len(labels), 2, 2, 1), np.float32)
    return Dataset(name, images, labels, "Some.", names)


def split(data, fraction=None):
    return dataset.hold_out(data, fraction, np.random.default_rng(0))


# ---------------------------------------------------------------------- the split
def test_a_tenth_of_images_is_held_out_and_a_fifth_of_people():
    found = split(images_of(np.arange(40)))
    assert found["how"] == "4 of 40 images, drawn"
    assert len(found["test"]) == 4 and found["test"] == sorted(set(found["test"]))
    assert split(images_of(np.arange(40)), 0.25)["how"] == "10 of 40 images, drawn"
    people = images_of(np.repeat(np.arange(10), 3))
    assert split(people)["how"] == "2 of 10 people"
    assert split(people, 0.5)["how"] == "5 of 10 people"
    assert split(people, 0) is None
    assert split(images_of([0, 1]))["test"] in ([0], [1])
    assert split(images_of([0, 1]), 0.99)["how"] == "1 of 2 images, drawn"
    with pytest.raises(ValueError, match="mine has a single image: to train and to test takes two"):
        split(images_of([0]))
    for fraction in (1, -0.1, 1.5):
        with pytest.raises(ValueError, match="test_fraction must be at least 0 and below 1, got"):
            split(people, fraction)


def test_a_label_of_many_pictures_is_a_class_and_one_of_a_single_picture_nobody():
    for count, how in ((20, "1 of 2 people"), (21, "4 of 42 images, drawn")):
        assert split(images_of(np.repeat([0, 1], count)))["how"] == how
    assert split(images_of([0, 0, 0, 1, 1, 2]))["how"] == "1 of 6 images, drawn"
    assert split(images_of([3] * 12))["how"] == "1 of 12 images, drawn"


def test_mnist_has_its_own_test_set_and_files_keep_their_names():
    mnist = types.SimpleNamespace(name="mnist", images=range(70000), labels=None, names=None)
    found = split(mnist)
    assert found == {"how": "MNIST's own test set", "test": list(range(60000, 70000))}
    named = images_of(np.arange(20), names=tuple(f"{k}.png" for k in range(20)))
    found = split(named)
    assert found["files"] == [f"{k}.png" for k in found["test"]]


def test_images_are_divided_as_the_split_says():
    data = replace(images_of([5, 5, 7, 7, 9]), images=np.arange(20.0).reshape(5, 2, 2, 1))
    samples = dataset.divide(data, {"how": "so", "test": [1, 4]}, (2, 2, 1))
    assert samples.how == "so" and samples.full is None
    np.testing.assert_array_equal(samples.test, data.images[[1, 4]])
    np.testing.assert_array_equal(samples.train, data.images[[0, 2, 3]])
    assert [part.tolist() for part in samples.labels] == [[5, 7, 7], [5, 9]]
    assert dataset.divide(replace(data, labels=np.arange(5)), {"how": "", "test": [1]},
                          (2, 2, 1)).labels is None  # fmt: skip
    small = dataset.divide(data, {"how": "so", "test": [1]}, (1, 1, 1), shrinks=True)
    np.testing.assert_array_equal(small.full, data.images[[1]])
    np.testing.assert_array_equal(small.test, data.images[[1], :1, :1])
    for test in ([], [0, 1, 2, 3, 4]):
        with pytest.raises(ValueError, match=r"leaves 5 images of mine on one side: restore it"):
            dataset.divide(data, {"how": "", "test": test}, (2, 2, 1))


def test_only_models_that_shrink_their_data_read_larger_images():
    images = np.zeros((2, 8, 8, 1), np.float32)
    assert dataset.fit_size(images, (4, 4, 1), "dots", shrinks=True).shape == (2, 4, 4, 1)
    for array, shape, shrinks in (
        (images, (4, 4, 1), False),
        (images, (3, 3, 1), True),
        (images[:, :4], (2, 4, 1), True),
    ):
        with pytest.raises(ValueError, match=r"the images of dots are .* grey, the model reads"):
            dataset.fit_size(array, shape, "dots", shrinks)


def test_data_that_could_not_be_had_are_looked_for_under_the_name_of_their_substitute(monkeypatch):
    asked = []
    monkeypatch.setattr(
        datasets, "load", lambda given, **_: asked.append(given) or images_of([0, 1])
    )
    config = {**dataset.checksums(images_of([0, 1])), "data": "olivetti"}
    for used, name in (("generated faces", "faces"), ("olivetti", "olivetti")):
        assert dataset.original({**config, "data_used": used}).name == used
        assert asked.pop() == name
    dataset.original({**config, "data": "/a/path", "data_used": "digits"})
    assert asked.pop() == "/a/path"  # of which "digits" is the name, and no data set
    dataset.original({**config, "data_used": "generated faces"}, "/moved")
    assert asked.pop() == "/moved"
    dataset.original({**config, "data_used": "generated faces"}, "olivetti")
    assert asked.pop() == "olivetti"


def test_changed_images_and_shuffled_labels_are_noticed_wherever_they_are(monkeypatch):
    mine = replace(images_of([5, 5, 7, 7]), images=np.linspace(0, 1, 16).reshape(4, 2, 2, 1))
    config = {**dataset.checksums(mine), "data": "/mine", "data_used": "mine"}
    config |= {"split": {"how": "so", "test": [1]}, "image_size": None}
    found = {"/mine": mine, "/other": replace(mine, images=mine.images[::-1], name="other")}
    found["/shuffled"] = replace(mine, labels=mine.labels[::-1])
    monkeypatch.setattr(datasets, "load", lambda given, **_: found[str(given)])
    assert dataset.load(config, (2, 2, 1)).how == "so"
    samples = dataset.load(config, (2, 2, 1), "/other")
    assert samples.how == "all 4 images of other" and samples.labels is None
    assert len(samples.train) == 3 and len(samples.test) == 4
    with pytest.raises(ValueError, match="the labels of /shuffled are not those that this model"):
        dataset.load(config, (2, 2, 1), "/shuffled")
    with pytest.raises(ValueError, match="the labels of /shuffled are not those that this model"):
        dataset.original(config, "/shuffled")
    with pytest.raises(ValueError, match="the images of /other are not those that this model was"):
        dataset.original(config, "/other")


# ---------------------------------------------------------------------- what files may hold
def test_a_split_is_a_sentence_and_indices():
    good = {"how": "so", "test": [0, 5]}
    assert _is_split(good) and _is_split({**good, "files": ["a", "b"]})
    for bad in ([], {"how": "so"}, {"test": [1]}, {**good, "more": 1}, {**good, "how": 3},
                {**good, "test": [-1]}, {**good, "test": [True]}, {**good, "test": 5},
                {**good, "test": [1.0]}, {**good, "test": [2**31]}, {**good, "files": [1]},
                {**good, "files": "ab"}, {**good, "how": "x" * (LONGEST_TEXT + 1)}):  # fmt: skip
        assert not _is_split(bad)
    assert _is_split({**good, "how": "x" * LONGEST_TEXT})


def test_metrics_are_few_levels_of_names_and_numbers():
    for good in (None, 3, 2.5, "a", [], {}, [1, "a", None], {"a": [1, {"b": 2}]}, True,
                 9e299, "x" * LONGEST_TEXT):  # fmt: skip
        assert _is_plain(good)
    for bad in (1e300, float("nan"), float("inf"), "x" * (LONGEST_TEXT + 1), {"a": [1e300]},
                [{"a": object()}]):  # fmt: skip
        assert not _is_plain(bad)
    value = 1
    for _ in range(MOST_LEVELS):
        value = [value]
    assert _is_plain(value) and not _is_plain([value]) and not _is_plain({"a": value})


def test_an_evaluation_is_tables_of_numbers():
    for good in ({}, {"a": {}}, {"a": {"b": {}}}, {"a": {"b": {"c": 1, "d": None, "e": 0.5}}}):
        assert _is_evaluation(good)
    for bad in ([], {"a": []}, {"a": {"b": []}}, {"a": {"b": {"c": "text"}}},
                {"a": {"b": {"c": 1}, "d": 2}}, {"a": {"b": {"c": 1, "d": []}}}):  # fmt: skip
        assert not _is_evaluation(bad)


def test_a_summary_has_sentences_and_numbers():
    for good in ({}, {"diagnosis": None}, {"diagnosis": ["a"], "ended": "early", "epochs": 3,
                                           "seconds": 0.5}):  # fmt: skip
        assert _is_summary(good)
    for bad in ({"diagnosis": [""]}, {"diagnosis": "a"}, {"diagnosis": [1]}, {"ended": 3},
                {"epochs": "3"}, {"seconds": True}, {"epochs": True},
                {"diagnosis": ["a"], "ended": None}):  # fmt: skip
        assert not _is_summary(bad)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("hidden", ([], [3, 4], [1] * 999), (None, 3, [0], [True], [2**31], [1.5], [1] * 1000)),
        ("image_shape", ([8, 8, 1],), ([8, 8], [8, 8, 0], "abc", [8, 8, 1, 1])),
        ("split", (None, {"how": "a", "test": []}), ({}, [], {"how": 1, "test": []})),
        ("model", ("dense", "vae"), ("x", None, 3)),
        ("likelihood", ("gaussian",), ("x", None, ["gaussian"])),
        ("convolutional", (True, False), (1, 0, "yes")),
        ("epochs", (1, 2**63 - 1), (True, 2**63, "1", 1.5)),
        ("batch_size", (5,), (None, True)),
        ("learning_rate", (0.5, 1), (True, float("inf"), float("nan"), "1")),
        ("data", ("x", "x" * LONGEST_TEXT), ("x" * (LONGEST_TEXT + 1), 3, None)),
        ("seed", (0, -3), (True, 0.5)),
        ("unknown", (), (1, None, "a")),
    ],
)
def test_settings_have_their_kinds(name, good, bad):
    assert [_fits(name, value) for value in good] == [True] * len(good)
    assert [value for value in bad if _fits(name, value)] == []


def test_files_that_are_none_of_a_run_are_refused(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(ValueError, match=r"is damaged \(it is not there\): restore it from a copy"):
        read_config(path)
    path.write_text('{"data": "a"}')
    with pytest.raises(ValueError, match="does not describe a run: give a folder that train wrote"):
        read_config(path)
    path.write_text('{"data": "a", "data_used": "a"}')
    with pytest.raises(ValueError, match=r"another version \(format 1, this one reads 2;"):
        read_config(path)
    path.write_text('{"data": "a", "data_used": "a", "format": 2, "epochs": "x"}')
    with pytest.raises(ValueError, match="is damaged, 'epochs' cannot be 'x': restore it from a"):
        read_config(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match=r"\(it is no ordinary file\)"):
        read_config(path)
    assert read_metrics(tmp_path) == {}
    (tmp_path / "metrics.json").write_text("[1e300]")
    with pytest.raises(ValueError, match="holds no metrics: delete it, and evaluate again"):
        read_metrics(tmp_path)
    (tmp_path / "metrics.json").unlink()
    (tmp_path / "metrics.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"\(it is not there\): delete it, and evaluate again"):
        read_metrics(tmp_path)


@pytest.mark.parametrize(("name", "most"), [("config.json", 2**26), ("metrics.json", 2**22)])
def test_files_of_an_absurd_size_are_not_read(tmp_path, name, most):
    path = tmp_path / name
    read = read_config if name == "config.json" else lambda path: read_metrics(path.parent)
    for size, words in ((most, "Expecting value"), (most + 1, f"it has more than {most} bytes")):
        with open(path, "wb") as file:
            file.truncate(size)  # of zeros, which take no room
        with pytest.raises(ValueError, match=words):
            read(path)


# ---------------------------------------------------------------------- the lock
def test_errors_of_the_system_are_not_taken_for_another_writer(tmp_path, monkeypatch):
    def broken(handle, how):
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(lock_module.fcntl, "flock", broken)
    with pytest.raises(OSError, match="the disk is broken"):
        Lock(tmp_path)
    monkeypatch.undo()
    Lock(tmp_path).release()
    monkeypatch.setattr(lock_module.os, "O_NOFOLLOW", 0)
    (tmp_path / ".lock").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        Lock(tmp_path)


def test_attempts_at_a_lock_leave_no_file_open(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "WAIT", 0)
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else None
    if before is None:
        pytest.skip("open files cannot be counted here")
    with Lock(tmp_path):
        for _ in range(3):
            with pytest.raises(NotOurs, match="another process writes into"):
                Lock(tmp_path)
        assert len(os.listdir("/proc/self/fd")) == len(before) + 1
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert not list(tmp_path.iterdir())


def test_of_two_writers_at_once_the_second_says_so_or_takes_the_next_number(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "WAIT", 0)
    folder = tmp_path / "run"
    folder.mkdir()
    with Lock(folder):
        with pytest.raises(NotOurs, match="another process writes into"):
            folders.new_folder(folder)
        with folders.new_folder(folder, numbered=True) as other:
            assert other.folder == tmp_path / "run-2"


def test_a_run_comes_back_to_its_place_where_its_successor_cannot_be_moved(tmp_path, monkeypatch):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
    flushed, rename = [], os.rename
    monkeypatch.setattr(folders, "flush_folder", flushed.append)
    with Lock(tmp_path / "old") as old, Lock(tmp_path / "new") as new:

        def refuses(source, target):
            if str(source).endswith("new"):
                raise OSError(errno.ENOSPC, "no room")
            rename(source, target)

        monkeypatch.setattr(folders.os, "rename", refuses)
        with pytest.raises(OSError, match="no room"):
            folders.replace_run(old, new)
        assert (tmp_path / "old/config.json").read_text() == "old"
        assert (tmp_path / "new/config.json").read_text() == "new"
        assert not flushed
        monkeypatch.setattr(folders.os, "rename", rename)
        folders.replace_run(old, new)
        assert flushed == [tmp_path]
        assert (new.folder, old.folder.exists()) == (tmp_path / "old", False)
    assert (tmp_path / "old/config.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


# ---------------------------------------------------------------------- the end of a training
@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data file, a run of three epochs in `run`, what was said, and what was drawn."""
    place = tmp_path_factory.mktemp("parts")
    np.savez(place / "d.npz", images=DIGITS.images[:80], labels=np.arange(80) // 4)
    said, drawn = [], []
    config = Config.of("dense", data=str(place / "d.npz"), epochs=3, n_components=4)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train_module.figures, "draw", lambda *a, **k: drawn.append((a, k)) or [])
        folder, metrics = start(config, place / "run", progress=False, say=said.append)
    return types.SimpleNamespace(
        place=place, folder=folder, metrics=metrics, said=said, drawn=drawn, config=config
    )


def test_a_training_says_what_it_trains_and_measures(trained):
    assert trained.said == [
        "64 pixels, a latent code of 4 numbers; 64 images to train on, 16 held out (4 of 20 "
        "people).",
        "Measuring the model and its baselines, and drawing the figures.",
    ]
    (((run, samples), more),) = trained.drawn
    assert run.folder == trained.folder and len(samples.test) == 16
    assert more == {"progress": False}
    metrics, history = trained.metrics, open_run(trained.folder).history()
    assert (metrics["ended"], metrics["epochs"], metrics["restarts"]) == ("all epochs", 3, 0)
    assert metrics["parameters"] == 64 * 4 + 4 + 4 * 64 + 64 and metrics["data"] == "d"
    assert 0 <= metrics["seconds"] == round(metrics["seconds"], 1)
    assert metrics["final_loss"] == history["loss"][-1]
    assert history["epoch"] == [1, 2, 3]
    assert metrics["best_epoch"] == 1 + int(np.argmin(history["loss"]))
    assert read_metrics(trained.folder).keys() == metrics.keys()


def test_a_finished_run_has_nothing_left_to_do(trained):
    assert resume(trained.folder, progress=False, say=trained.said.append) is None


def test_labels_count_where_they_can_be_known(monkeypatch):
    monkeypatch.setattr(train_module, "one_blas_thread", lambda f, *a, **more: more)

    def labels(train, test):
        arrays = (np.array(train), np.array(test))
        run = types.SimpleNamespace(estimator=None, image_shape=(3, 2, 1))
        samples = types.SimpleNamespace(labels=arrays, rows=(None, None), is_table=False)
        found = train_module.assess(run, samples)
        assert found["image_shape"] is None and found["max_probe"] == train_module.PROBED
        return found["labels"] is not None

    assert labels([0, 0, 1], [0, 1])  # classes that the training knows
    assert labels([0, 0, 1], [1])
    assert labels([0, 0, 1], [2, 2, 3, 3])  # new people, with two images each
    assert not labels([0, 0, 1], [2, 2, 3])
    assert not labels([0, 0, 1], [2, 2])  # one new person only
    assert not labels([0, 0, 0], [0, 0])
    run = types.SimpleNamespace(estimator=None, image_shape=(3, 3, 1))
    samples = types.SimpleNamespace(labels=None, rows=(None, None), is_table=False)
    assert train_module.assess(run, samples)["image_shape"] == (3, 3, 1)


@pytest.mark.parametrize(
    ("epochs", "diverged", "interrupts", "ended"),
    [
        (3, False, False, "all epochs"),
        (2, False, False, "early"),
        (2, False, True, "interrupted"),
        (3, False, True, "all epochs"),
        (2, True, False, "diverged"),
        (2, True, True, "diverged"),
    ],
)
def test_how_a_training_ended(epochs, diverged, interrupts, ended, monkeypatch):
    training = types.SimpleNamespace(diverged=diverged, is_over=lambda patience: False)
    model = types.SimpleNamespace(n_iter_=epochs, _training=training)
    settings, offered = [], []
    model.set_params = lambda **more: settings.append(more) or model

    def fit(X):
        warnings.warn("found", train_module.DiagnosisWarning, stacklevel=1)
        assert settings[-1]["callbacks"](model, {}) is False
        if interrupts:
            signal.raise_signal(signal.SIGINT)
        assert settings[-1]["callbacks"](model, {}) is interrupts

    model.fit = fit
    checkpoints = types.SimpleNamespace(
        offer=lambda made, at_once: offered.append(at_once), explained=contextlib.nullcontext
    )
    config = types.SimpleNamespace(n_components=4, epochs=3, patience=None)
    images = np.zeros((5, 2, 2, 1))
    samples = dataset.Samples("mine", images, images, None, "so")
    said, written = [], []
    monkeypatch.setattr(train_module, "_write", lambda *a: written.append(a[4]) or "metrics")
    found = train_module._train(config, {}, model, samples, checkpoints, True, said.append)
    assert (found, written, offered) == ("metrics", [ended], [False, interrupts])
    assert settings[0]["verbose"] == 1 and settings[0]["warm_start"] is True
    assert settings[-1] == {"callbacks": None, "verbose": 0, "warm_start": False}
    assert said[0].endswith("5 images to train on, all of them, none are held out.")
    stopped = ["Stopped after 2 of 3 epochs; writing what there is."]
    assert said[1:] == (stopped if ended == "interrupted" else [])


@pytest.fixture
def interrupts():
    """Ctrl-C interrupts, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_ones_own_again_afterwards(interrupts):
    before = interrupts
    with train_module.interruptible() as seen:
        assert seen == [] and signal.getsignal(signal.SIGINT) is not before
        signal.raise_signal(signal.SIGINT)
        assert seen == [signal.SIGINT] and signal.getsignal(signal.SIGINT) is before
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with train_module.interruptible():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_what_cannot_be_built_is_refused_before_a_folder_is_made(trained, tmp_path):
    config = replace(trained.config, n_components=2**40)
    with pytest.raises(ValueError, match="n_components"):
        start(config, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------------- opened again
def test_a_folder_whose_training_was_cut_short_or_damaged_is_no_run(trained, tmp_path):
    def copied(change):
        for name in ("config.json", "model.npz"):
            (tmp_path / name).write_bytes((trained.folder / name).read_bytes())
        arrays, about = checkpoint.load(tmp_path / "model.npz")
        change(arrays, about)
        checkpoint.save(tmp_path / "model.npz", arrays, about)
        return open_run(tmp_path)

    assert copied(lambda arrays, about: about.pop("run")).n_components == 4

    def without_covariance(arrays, about):
        for name in [n for n in arrays if "covariance" in n]:
            del arrays[name]

    with pytest.raises(ValueError, match="is of a training that has not ended: restore it from a"):
        copied(without_covariance)
    (tmp_path / "model.npz").unlink()
    with pytest.raises(ValueError, match=r"has no model\.npz: finish it with train --resume"):
        open_run(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match=r"no config\.json and no model\.npz: give one that train"):
        open_run(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere: train writes one"):
        open_run(tmp_path / "nowhere")


def test_settings_of_another_run_beside_a_model_saved_by_hand_are_noticed(trained, tmp_path):
    config = read_config(trained.folder / "config.json")
    arrays, about = checkpoint.load(trained.folder / "model.npz")
    del about["run"]
    checkpoint.save(tmp_path / "model.npz", arrays, about)
    for change, words in (
        ({"image_shape": [8, 4, 1]}, r"speaks of images \(8, 4, 1\), model\.npz of 64 pixels"),
        ({"batch_size": 7}, r"not of one run: batch_size=7 in config\.json and 32 in model\.npz"),
    ):
        write_json(tmp_path / "config.json", {**config, **change})
        with pytest.raises(ValueError, match=words):
            open_run(tmp_path)


# ---------------------------------------------------------------------- the report
def inside(page, tag):
    """The texts of all elements of a page with this tag."""
    found = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page, re.DOTALL)
    return [html.unescape(text) for text in found]


def test_the_report_shows_what_there_is(trained, tmp_path):
    folder = tmp_path / "run"
    (folder / "figures").mkdir(parents=True)
    (folder / "config.json").write_bytes((trained.folder / "config.json").read_bytes())
    png = small_png()
    for name in ("loss", "reconstructions_1", "reconstructions_2", "lossless", "unknown"):
        (folder / "figures" / f"{name}.png").write_bytes(png)
    metrics = {
        "epochs": 3, "seconds": 1.5, "final_loss": 1.23456789,
        "diagnosis": ["the loss fell: train longer"],
        "evaluation": {"reconstruction": {"PCA 4": {"MSE": 0.5}}, "codes": {"model": {"kNN": 1}}},
        "evaluation_of_other_data": {"x": {}},
    }  # fmt: skip
    path = report(folder, "A run", metrics)
    page = path.read_text(encoding="utf-8")
    captions = [report_module.FIGURES[name][0] for name in ("reconstructions", "loss")]
    assert inside(page, "figcaption") == [captions[0], captions[0], captions[1]]
    assert "Held out: 4 of 20 people." in inside(page, "p")
    assert "The loss fell: train longer." in inside(page, "p")
    rows = inside(page, "th")
    assert "final_loss" in rows and "1.2346" in inside(page, "td")
    assert "evaluation_of_other_data" not in rows and "split" not in rows
    settings = read_config(folder / "config.json")
    shown = {name for name, value in settings.items() if value is not None} - {"split"}
    assert shown <= set(rows) and not {n for n, v in settings.items() if v is None} & set(rows)
    assert page.count('<tr class="ours">') == 1
    everything = {**settings, "split": None}
    write_json(folder / "config.json", everything)
    page = report(folder, "A run", metrics).read_text(encoding="utf-8")
    assert "The model was trained on all images." in inside(page, "p")


def small_png():
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "PNG")
    return file.getvalue()
