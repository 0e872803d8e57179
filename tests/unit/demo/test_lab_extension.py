"""The demo's labs: the extension of the lab image, as Jupyter finds it."""

from pathlib import Path

from jupyter_server.extension.config import ExtensionConfigManager

from demo.parts import install_lab_extension


def test_demo_labs_report_computing_kernels(tmp_path: Path) -> None:
    variables = install_lab_extension(tmp_path / "lab")
    enabled = ExtensionConfigManager(read_config_path=[variables["JUPYTER_CONFIG_PATH"]]).get_jpserver_extensions()
    assert enabled == {"passerelle_lab": True}
    assert (Path(variables["PYTHONPATH"]) / "passerelle_lab" / "__init__.py").is_file()


def test_demo_labs_warn_before_they_are_culled(tmp_path: Path) -> None:
    from jupyterlab_server.config import get_federated_extensions

    variables = install_lab_extension(tmp_path / "lab")
    assert list(get_federated_extensions([f"{variables['JUPYTER_PATH']}/labextensions"])) == ["passerelle-lab"]
