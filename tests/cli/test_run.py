"""`python -m minikeras run`."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent.parent


def minikeras(*arguments, cwd=None, check=False):
    return subprocess.run(
        [sys.executable, "-m", "minikeras", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=check,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )


def script(folder, text, name="script.py"):
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def notebook(folder, *cells, name="notebook.ipynb", version=4):
    found = [{"cell_type": "code", "source": textwrap.dedent(cell)} for cell in cells]
    found.insert(1, {"cell_type": "markdown", "source": "# Words"})
    content = {"nbformat": 4, "cells": found}
    if version == 3:
        for cell in found:
            cell["input"] = cell.pop("source").splitlines(keepends=True)
        content = {"nbformat": 3, "worksheets": [{"cells": found}]}
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def test_a_script_sees_what_python_would_show_it(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "beside.py").write_text("value = 5\n")
    path = script(
        folder,
        """
        import os, pickle, sys
        import beside
        from keras.models import Sequential
        from tensorflow.keras.layers import Dense
        import minikeras
        class Here:
            pass
        assert __name__ == "__main__" and __file__ == sys.argv[0]
        assert type(pickle.loads(pickle.dumps(Here()))) is Here
        assert Sequential is minikeras.Sequential and beside.value == 5
        print(sys.argv[1:], os.path.basename(os.getcwd()), os.path.basename(sys.path[0]))
        """,
    )
    found = minikeras("run", path, "--epochs", "3", "-h", cwd=tmp_path, check=True)
    assert found.stdout.split("\n")[0] == f"['--epochs', '3', '-h'] {tmp_path.name} inner"
    assert found.stderr == ""


def test_exit_codes(tmp_path):
    for text, code in (("pass", 0), ("import sys; sys.exit(3)", 3), ("exit('no')", 1), ("1/0", 1)):
        assert minikeras("run", script(tmp_path, text)).returncode == code


def test_tracebacks_begin_in_the_script(tmp_path):
    path = script(tmp_path, "import keras\n\ndef f():\n    return 1 / 0\n\nf()\n")
    error = minikeras("run", path).stderr
    assert error.startswith(f'Traceback (most recent call last):\n  File "{path}", line 6')
    assert "return 1 / 0" in error and error.rstrip().endswith(
        "ZeroDivisionError: division by zero"
    )


def test_python_2_is_named(tmp_path):
    found = minikeras("run", script(tmp_path, 'print "hello"\n'))
    assert found.returncode == 1 and "Python 2" in found.stderr and "SyntaxError" in found.stderr


def test_a_file_that_is_not_there():
    found = minikeras("run", "nowhere.py")
    assert found.returncode == 2
    assert found.stderr.strip().splitlines() == [
        "minikeras run: error: there is no file nowhere.py. Pass a .py or .ipynb file."
    ]


def test_a_notebook(tmp_path):
    path = notebook(
        tmp_path,
        """
        %matplotlib inline
        %load_ext autoreload
        import keras
        from keras.layers.core import Dense
        """,
        "!pip install -q keras \\\n  tensorflow\nx = 1\nx + 1",
        "%%time\ny = 5\ny;",
        "%time z = 7\nz",
        "'%d items' % x",
        "display(x)\nNone",
        "Dense(3).units\n?Dense",
        "import os\n%env COLOR=red\nif x:\n    %cd ..\nos.environ['COLOR']",
        "%%html\n<b>no Python</b>",
        "get_ipython().run_line_magic('matplotlib', 'inline')",
    )
    found = minikeras("run", path, check=True)
    assert found.stdout.splitlines() == ["2", "7", "'1 items'", "1", "'red'"]
    notes = [line for line in found.stderr.splitlines() if "left out" in line]
    assert notes == [
        "minikeras run: cell 2, line 1: left out: !pip install -q keras tensorflow",
        "minikeras run: cell 9, line 1: left out: a cell of html",
    ]


def test_a_notebook_of_format_3(tmp_path):
    path = notebook(tmp_path, "x = 2", "x * 3", version=3)
    assert minikeras("run", path, check=True).stdout == "6\n"


def test_an_error_in_a_notebook(tmp_path):
    path = notebook(tmp_path, "def f():\n    raise KeyError('here')", "f()")
    found = minikeras("run", path)
    assert found.returncode == 1
    assert f'"{path}[2]", line 1' in found.stderr and "raise KeyError('here')" in found.stderr


@pytest.mark.parametrize(
    "line", ["!wget http://example.org/data.zip", "%store x", "files = !ls *.csv", "%%bash\nls"]
)
def test_what_needs_a_shell_is_said_before_anything_runs(tmp_path, line):
    found = minikeras("run", notebook(tmp_path, "print('started')", line))
    assert found.returncode == 2 and found.stdout == ""
    assert "cell 2, line 1" in found.stderr and "needs a shell or IPython" in found.stderr


def test_what_is_no_notebook(tmp_path):
    found = minikeras("run", script(tmp_path, "{}", "broken.ipynb"))
    assert found.returncode == 2 and "is not a Jupyter notebook" in found.stderr


def test_help_and_version():
    found = minikeras("--help", check=True).stdout
    assert "run a Keras script or notebook unedited" in found and "check" in found
    assert minikeras("--version", check=True).stdout.startswith("minikeras ")
    assert minikeras().returncode == 2
    assert minikeras("rn").returncode == 2


def test_a_script_has_the_defaults_of_its_years(tmp_path):
    path = script(
        tmp_path,
        """
        from keras.optimizers import Adadelta, SGD
        SGD(lr=0.1)
        print(Adadelta().get_config()["learning_rate"])
        """,
    )
    done = minikeras("run", path, check=True)
    assert done.stdout == "1.0\n" and "spelled for Keras 2" in done.stderr
    done = minikeras("run", "--generation", "3", path, check=True)
    assert done.stdout.startswith("0.001") and "spelled for" not in done.stderr


def test_a_script_has_the_names_of_its_years(tmp_path):
    path = script(
        tmp_path,
        """
        import numpy as np
        print(np.zeros(2, dtype=np.float).dtype, np.int is int)
        """,
    )
    done = minikeras("run", path, check=True)
    assert done.stdout == "float64 True\n" and "supplied: numpy.float, numpy.int" in done.stderr


def test_images_and_splits_of_those_years(tmp_path):
    pytest.importorskip("PIL")
    pytest.importorskip("scipy")
    pytest.importorskip("sklearn")
    path = script(
        tmp_path,
        """
        import numpy as np
        from scipy.misc import imread, imresize, imsave
        from sklearn.cross_validation import train_test_split
        imsave("a.png", np.arange(24.0).reshape(2, 4, 3))
        assert imread("a.png").max() == 255 and imread("a.png", flatten=True).shape == (2, 4)
        assert imresize(imread("a.png"), (4, 8)).shape == (4, 8, 3)
        assert imresize(imread("a.png"), 50).shape == (1, 2, 3)
        assert imresize(imread("a.png"), 2.0, interp="nearest").shape == (4, 8, 3)
        print(len(train_test_split(np.arange(8), test_size=0.25)[1]))
        """,
    )
    done = minikeras("run", path, cwd=tmp_path)
    assert done.stdout == "2\n", done.stderr


def test_notebooks_show_things_without_ipython(tmp_path, monkeypatch, capsys):
    import sys

    from minikeras.cli import run

    for name in [one for one in sys.modules if one.partition(".")[0] == "IPython"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(run, "_is_there", lambda name: name in sys.modules)
    source = "from IPython.display import HTML, clear_output, display\nclear_output(wait=True)\n"
    try:
        assert run.supply(source) == ["IPython.display"]
        exec(source + "display(HTML('<b>'))\nfrom IPython import get_ipython\nget_ipython()")
        assert run.supply("print('IPython')") == []
    finally:
        for name in ("IPython", "IPython.display"):
            sys.modules.pop(name, None)
    assert "<b>" in capsys.readouterr().out
