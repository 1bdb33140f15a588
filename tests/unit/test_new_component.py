"""`components new`: what it writes passes the linter, loads, and refuses to overwrite or to take a name twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from conftest import as_published

from sdsk8s.backends.docker import context
from sdsk8s.backends.docker.builder import Workshop
from sdsk8s.cli.group import cli
from sdsk8s.errors import ConfigError, RefusedError, UsageError
from sdsk8s.lint.together import findings
from sdsk8s.model.image import ImageSpec
from sdsk8s.render.images import content_tag
from sdsk8s.render.objects import render
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.data import folder
from sdsk8s.site.folder import load_site
from sdsk8s.site.templates import load_texts
from sdsk8s.verbs.components import New, new

DOCKERFILES = folder("dockerfiles")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config").write_text("OPS_HOME: /home/ops\nVENUE: venue\n")
    (tmp_path / "site.yaml").write_text(yaml.safe_dump({"registry": "r.example:5000", "manifests": ["mine"]}))
    (tmp_path / "mine").mkdir()
    return tmp_path


@pytest.mark.parametrize("image", ["", "r.example/web:1.0"])
def test_what_is_written_passes_lint_and_renders(home: Path, image: str) -> None:
    made = new(New("web", str(home), image=image, port=9000))
    assert made.folder == home / "mine/web"
    assert {str(p.relative_to(made.folder)) for p in made.folder.rglob("*") if p.is_file()} == set(made.files)
    assert ("image/Dockerfile" in made.files) == (not image)
    assert not any("@" in line for f in made.files for line in (made.folder / f).read_text().splitlines())
    looked = CliRunner().invoke(cli, ["lint", str(made.folder)])
    assert looked.exit_code == 0 and "no findings in 3 objects" in looked.output, looked.output

    site = load_site(home)
    catalogue = load_catalogue(site.manifests)
    web = catalogue.get("web")
    objects = {o["kind"]: o for o in render(site, catalogue, web, load_texts(site, [web]), {"web": "r.example/web:1"})}
    assert list(objects) == ["ConfigMap", "Service", "PodDisruptionBudget", "Deployment"]
    assert "port = 9000\nmessage = web of venue" in objects["ConfigMap"]["data"]["web.conf"]
    assert findings(objects.values()) == []
    assert web.images["web"].external == (image or None)


def test_a_folder_that_exists_is_not_touched(home: Path) -> None:
    made = new(New("web", str(home)))
    (made.folder / "web.conf").write_text("mine")
    with pytest.raises(RefusedError) as err:
        new(New("web", str(home), into=home / "mine"))
    assert err.value.next and (made.folder / "web.conf").read_text() == "mine"
    (home / "mine/other").mkdir()
    with pytest.raises(RefusedError, match="refusing to overwrite"):
        new(New("other", str(home)))
    assert not list((home / "mine/other").iterdir())


@pytest.mark.parametrize("name", ["all", "redis", "sciflo", "grq-api", "mozart-es"])
def test_a_name_that_the_catalogue_has_is_refused(home: Path, name: str) -> None:
    with pytest.raises(RefusedError, match="is taken"):
        new(New(name, str(home)))
    assert not list((home / "mine").iterdir())


@pytest.mark.parametrize("name", ["Web", "1web", "web_x", "web-", "a/b", "..", "x" * 41, ""])
def test_a_name_that_kubernetes_would_refuse(home: Path, name: str) -> None:
    with pytest.raises(UsageError, match="invalid component name"):
        new(New(name, str(home)))


def test_an_image_with_a_moving_tag_is_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="latest"):
        new(New("web", str(home), image="r.example/web:latest"))
    assert not list((home / "mine").iterdir())


def test_the_first_line_to_edit_is_the_one_that_makes_the_verbs_find_it(home: Path) -> None:
    assert "site.yaml" not in new(New("web", str(home))).edit[0]
    assert "`manifests: [other]`" in new(New("two", str(home), into=home / "other")).edit[0]
    (home / "site.yaml").unlink()
    made = new(New("three", str(home)))
    assert made.folder == home / "manifests/three" and "`manifests: [manifests]`" in made.edit[0]


def test_output_is_as_its_schema_says(home: Path) -> None:
    for argv in (["components", "new", "web", "-o", "json"], ["components", "-o", "json", "new", "two"]):
        done = CliRunner().invoke(cli, argv, env={"SDS_HOME": str(home)})
        assert done.exit_code == 0, done.output
        as_published("components-new", json.loads(done.output))
    listed = CliRunner().invoke(cli, ["components", "-o", "json"], env={"SDS_HOME": str(home)})
    assert {"web", "two", "redis"} <= {c["name"] for c in json.loads(listed.output)["components"]}


# -- a Dockerfile of the component's own


def test_the_tag_of_an_own_dockerfile_depends_on_its_content_not_on_its_place(home: Path) -> None:
    tags = set()
    for root in ("a", "b"):
        made = new(New("web", str(home), into=home / root))
        tags.add(tag(home / root))
    assert len(tags) == 1
    (made.folder / "image/serve.py").write_text("pass\n")
    assert tag(home / "b") not in tags


def tag(root: Path) -> str:
    spec = load_catalogue([str(root)]).get("web").images["web"]
    workshop = Workshop(DOCKERFILES, None)
    inputs = workshop.inputs(spec)
    assert "serve.py" in inputs and workshop.arguments(spec) == ["BASE"]
    return content_tag(spec, "base", inputs, workshop.args(spec))


def test_an_own_dockerfile_that_is_not_there_names_the_places(home: Path) -> None:
    made = new(New("web", str(home)))
    (made.folder / "image/Dockerfile").unlink()
    with pytest.raises(ConfigError, match=r"expected a Dockerfile in \./image") as err:
        load_catalogue([str(home / "mine")])
    assert str(made.folder / "image") in err.value.target


def test_a_change_over_a_component_may_bring_its_own_dockerfile(home: Path) -> None:
    new(New("web", str(home)))
    above = home / "above/web"
    (above / "other").mkdir(parents=True)
    (above / "other/Dockerfile").write_text("ARG BASE=sds/base\nFROM ${BASE}\n")
    (above / "component.yaml").write_text("name: web\nextends: true\nimages: {web: {dockerfile: ./other}}\n")
    spec = load_catalogue([str(home / "above"), str(home / "mine")]).get("web").images["web"]
    assert spec.folder == str(above / "other")
    (above / "component.yaml").write_text("name: web\nextends: true\ntitle: mine\n")
    spec = load_catalogue([str(home / "above"), str(home / "mine")]).get("web").images["web"]
    assert spec.folder == str(home / "mine/web/image")


@pytest.mark.parametrize("value", ["./../x", "./a/b", "./", "../x", "/x"])
def test_an_own_dockerfile_is_one_folder_beside_component_yaml(value: str) -> None:
    with pytest.raises(ConfigError):
        ImageSpec.from_dict("web", {"dockerfile": value})


def test_the_context_of_an_own_dockerfile_has_its_files_and_the_shared_tools(home: Path) -> None:
    new(New("web", str(home)))
    spec = load_catalogue([str(home / "mine")]).get("web").images["web"]
    inputs = Workshop(DOCKERFILES, None).inputs(spec)
    tools = {f"tools/{name}" for name, _ in context.walk(DOCKERFILES / "tools")}
    assert set(inputs) == {"Dockerfile", "serve.py", *tools}


def test_a_check_of_the_whole_site_reads_own_dockerfiles(tmp_path: Path) -> None:
    demo = Path(__file__).parents[2] / "examples" / "demo-site"
    home = tmp_path / "home"
    shutil.copytree(demo / "sds", home)
    settings = {"registry": "r.example:5000", "source": str(demo / "ops"), "manifests": ["mine"]}
    (home / "site.yaml").write_text(yaml.safe_dump(settings))
    (home / "mine").mkdir()
    made = new(New("web", str(home)))
    looked = CliRunner().invoke(cli, ["lint", "--home", str(home)])
    assert looked.exit_code == 0 and "no findings" in looked.output, looked.output
    (made.folder / "image/Dockerfile").write_text("FROM debian:latest\n")
    looked = CliRunner().invoke(cli, ["lint", "--home", str(home)])
    assert looked.exit_code == 1 and "moving-tag" in looked.output and str(made.folder / "image") in looked.output
