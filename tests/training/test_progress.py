"""The progress bar: in a terminal, in a file, on a line."""

import io
import logging
import re
import sys

import numpy as np
import pytest

import minikeras
from minikeras import config
from minikeras.callbacks import Callback, CallbackList, ProgbarLogger
from minikeras.utils import Progbar


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def terminal_of(monkeypatch):
    """Standard output as a terminal. Not a fixture: pytest sets its own for each phase."""
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", "100")
    return out


def plain(text):
    """What a terminal shows: without colours, each line as last drawn."""
    text = re.sub(r"\x1b\[\d+m", "", text)
    return [line.split("\r")[-1].rstrip() for line in text.split("\n")]


class TestProgbar:
    def test_a_file_gets_one_clean_line(self, capsys):
        bar = Progbar(5)
        for step in range(5):
            bar.update(step + 1, [("loss", float(step))])
        out = capsys.readouterr().out
        assert re.fullmatch(r"5/5 ━{20} \d+s \d+[mu]?s/step - loss: 4\.0000\n", out)

    def test_a_terminal_is_redrawn(self, monkeypatch):
        terminal = terminal_of(monkeypatch)
        bar = Progbar(20, interval=0)
        for step in range(20):
            bar.update(step + 1, [("loss", 0.5)])
        text = terminal.getvalue()
        assert text.count("\r") == 20 and text.count("\n") == 1 and "\b" not in text
        assert "\x1b[1m 1/20\x1b[0m \x1b[32m━\x1b[0m\x1b[37m" + "━" * 19 in text
        assert re.fullmatch(r"20/20 ━{20} \d+s \d+[mu]?s/step - loss: 0\.5000", plain(text)[0])

    def test_redraws_are_rare(self, monkeypatch):
        terminal = terminal_of(monkeypatch)
        bar = Progbar(100_000, interval=10)
        for step in range(1000):
            bar.update(step + 1)
        assert terminal.getvalue().count("\r") == 1

    def test_a_shorter_line_covers_a_longer_one(self, monkeypatch):
        terminal = terminal_of(monkeypatch)
        bar = Progbar(2, interval=0, stateless_metrics=[])
        bar.update(1, [("loss", 123456.0)])
        bar.update(2, [("loss", 1.0)])
        first, second = re.sub(r"\x1b\[\d+m", "", terminal.getvalue())[1:].rstrip("\n").split("\r")
        assert len(second) >= len(first)

    def test_a_line_that_would_wrap_is_cut_until_the_end(self, monkeypatch):
        terminal = terminal_of(monkeypatch)
        monkeypatch.setenv("COLUMNS", "60")
        bar = Progbar(2, interval=0)
        values = [(f"metric_{i}", 1.0) for i in range(5)]
        bar.update(1, values)
        assert 40 < len(plain(terminal.getvalue())[0]) <= 59
        bar.update(2, values)
        assert plain(terminal.getvalue())[0].endswith("metric_4: 1.0000")

    def test_averages(self, capsys):
        for kwargs, expected in (
            ({}, "1.5000"),
            ({"stateful_metrics": ["m"]}, "2.0000"),
            ({"stateful_metrics": ["other"]}, "1.5000"),
            ({"stateless_metrics": ["m"]}, "1.5000"),
            ({"stateless_metrics": []}, "2.0000"),
        ):
            bar = Progbar(3, interval=0, **kwargs)
            bar.update(1, [("m", 1.0)])
            bar.update(2, [("m", 2.0)])
            assert f"m: {expected}" in capsys.readouterr().out.split("\n")[1]
        with pytest.raises(ValueError, match="Only one of"):
            Progbar(1, stateful_metrics=[], stateless_metrics=[])

    @pytest.mark.parametrize(
        "value, text",
        [
            (0.12345, "0.1235"),
            (-12.0, "-12.0000"),
            (1e-4, "1.0000e-04"),
            (0.0, "0.0000e+00"),
            (float("nan"), "nan"),
            (np.float32(2), "2.0000"),
            ([0.0, 1.0, 2.0], "1.0000"),
        ],
    )
    @pytest.mark.parametrize("verbose", [1, 2])
    def test_values(self, capsys, value, text, verbose):
        Progbar(1, verbose=verbose).update(1, [("m", value)])
        assert capsys.readouterr().out.endswith(f" - m: {text}\n")

    def test_one_line(self, capsys):
        bar = Progbar(12, verbose=2)
        for _ in range(12):
            bar.add(1, [("loss", 2.0)])
        assert re.fullmatch(
            r"12/12 - \d+s - \d+[mu]?s/step - loss: 2\.0000\n", capsys.readouterr().out
        )

    def test_unknown_target(self, monkeypatch):
        terminal = terminal_of(monkeypatch)
        bar = Progbar(None, interval=0)
        bar.update(3)
        assert plain(terminal.getvalue())[0].startswith("      3/Unknown 0s ")
        bar.update(3, finalize=True)
        assert terminal.getvalue().endswith("\n")

    @pytest.mark.parametrize("verbose", [0, 1, 2])
    def test_target_zero(self, verbose):
        Progbar(0, verbose=verbose).update(0, finalize=True)

    def test_time(self, monkeypatch):
        terminal = terminal_of(monkeypatch)
        clock = [1000.0]
        monkeypatch.setattr("time.time", lambda: clock[0])
        bar = Progbar(1001, interval=0)
        for seconds, text in ((30.0, "8:20:00 30s/step"), (30.5, "8:19 500ms/step")):
            clock[0] = 1000 + seconds
            bar.update(1 if seconds == 30 else 2)
            assert text in plain(terminal.getvalue())[0]
        clock[0] += 0.0009
        bar.update(1000, finalize=False)
        assert " 0s 501us/step" in plain(terminal.getvalue())[0]

    def test_an_encoding_without_the_bar(self, monkeypatch):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        Progbar(1).update(1)
        sys.stdout.flush()
        assert b"1/1 ==================== 0s" in raw.getvalue()

    def test_logging(self, caplog, capsys):
        config.disable_interactive_logging()
        try:
            with caplog.at_level(logging.INFO, "minikeras"):
                bar = Progbar(2, interval=0.01)
                bar.update(1)
                bar.update(2)
        finally:
            config.enable_interactive_logging()
        assert capsys.readouterr().out == ""
        assert len(caplog.messages) == 1 and caplog.messages[0].startswith("2/2 ━")


class Model:
    metrics = []


def run_fit(verbose, epochs=2, batches=3, steps=3, logs=None, extra=()):
    """The events of a `fit` with validation, as a trainer sends them."""
    logs = logs or (lambda: {"loss": 1.0, "accuracy": 0.5})
    callbacks = CallbackList(
        list(extra),
        add_progbar=verbose != 0,
        model=Model(),
        verbose=verbose,
        epochs=epochs,
        steps=steps,
    )
    callbacks.on_train_begin()
    for epoch in range(epochs):
        callbacks.on_epoch_begin(epoch)
        begin, end = callbacks.batch_hooks("train")
        for batch in range(batches):
            if begin:
                begin(batch)
            if end:
                end(batch, logs)
        callbacks.on_test_begin()
        begin, end = callbacks.batch_hooks("test")
        assert begin is end is None or extra
        callbacks.on_test_end({"loss": 3.0})
        callbacks.on_epoch_end(epoch, {**logs(), "val_loss": 3.0})
    callbacks.on_train_end()
    return callbacks


class TestProgbarLogger:
    def test_bar(self, capsys):
        run_fit("auto")
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and len(lines) == 4
        for line in lines[1::2]:
            assert re.fullmatch(
                r"3/3 ━{20} \d+s \d+[mu]?s/step "
                r"- accuracy: 0.5000 - loss: 1.0000 - val_loss: 3.0000",
                line,
            )

    def test_lines(self, capsys):
        run_fit(2)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "Epoch 1/2" and len(lines) == 4
        assert re.fullmatch(
            r"3/3 - \d+s - \d+[mu]?s/step - accuracy: 0.5000 - loss: 1.0000 - val_loss: 3.0000",
            lines[1],
        )

    def test_silence(self, capsys):
        run_fit(0)
        assert capsys.readouterr().out == ""

    def test_one_epoch_has_no_title(self, capsys):
        run_fit(1, epochs=1)
        assert "Epoch" not in capsys.readouterr().out

    def test_unknown_length(self, monkeypatch):
        terminal = terminal_of(monkeypatch)
        run_fit(1, steps=None, batches=4)
        lines = plain(terminal.getvalue())
        assert lines[1].startswith("4/4 ━") and lines[3].startswith("4/4 ━")

    def test_logs_are_computed_only_when_they_are_shown(self, monkeypatch):
        terminal_of(monkeypatch)
        calls = []

        def logs():
            calls.append(1)
            return {"loss": 1.0}

        run_fit(1, epochs=1, batches=10_000, steps=10_000, logs=logs)
        assert len(calls) < 100

    def test_evaluate_and_predict(self, capsys):
        for phase in ("test", "predict"):
            callbacks = CallbackList(
                None, add_progbar=True, model=Model(), verbose=1, epochs=1, steps=2
            )
            getattr(callbacks, f"on_{phase}_begin")()
            _, end = callbacks.batch_hooks(phase)
            for batch in range(2):
                end(batch, {"loss": 1.0})
            getattr(callbacks, f"on_{phase}_end")({"loss": 1.0})
            line = capsys.readouterr().out
            assert line.startswith("2/2 ━") and ("loss" in line) == (phase == "test")

    def test_a_subclass_sees_every_batch(self):
        class Counting(ProgbarLogger):
            count = 0

            def on_train_batch_end(self, batch, logs=None):
                self.count += 1

        bar = Counting()
        run_fit(1, extra=[bar])
        assert bar.count == 6


def test_names():
    assert minikeras.utils.Progbar is Progbar
    assert issubclass(minikeras.callbacks.ProgbarLogger, Callback)
