#!/usr/bin/env python3
"""Put together a search engine home from artifacts that its makers publish to Maven Central.

usage: assemble_home.py MODULES.json HOME [--mvn "mvn -B ..."]

MODULES.json names the base archive and, for each module, its class, jars ("@" = the server's version), what it
extends, its security policy, and optionally one Java source that is compiled against the server.
Needs: mvn, javac. Writes only HOME; everything else goes to a temporary directory.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

PLUGIN = "3.6.1"  # maven-dependency-plugin


def item(coordinates: str, out: Path | None = None) -> str:
    """One <artifactItem> for group:artifact:version[:type]."""
    group, artifact, version, *kind = coordinates.split(":")
    fields = {"groupId": group, "artifactId": artifact, "version": version, "type": kind[0] if kind else "jar"}
    if out is not None:
        fields["outputDirectory"] = str(out)
    body = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
    return f"<artifactItem>{body}</artifactItem>"


def pom(data: dict[str, Any], unpacked: Path, modules: Path) -> str:
    """A pom.xml whose two executions unpack the base and copy every module's jars into its folder."""
    version = data["version"]
    jars = [
        item(jar.replace("@", version), modules / name)
        for name, module in sorted(data["modules"].items())
        for jar in module["jars"]
    ]
    base = item(data["base"].replace("@", version))

    def execution(goal: str, items: str, more: str) -> str:
        return (
            f"<execution><id>{goal}</id><phase>package</phase><goals><goal>{goal}</goal></goals>"
            f"<configuration>{more}<artifactItems>{items}</artifactItems></configuration></execution>"
        )

    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>sdsk8s</groupId><artifactId>search-home</artifactId><version>1</version><packaging>pom</packaging>"
        "<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId>"
        f"<artifactId>maven-dependency-plugin</artifactId><version>{PLUGIN}</version><executions>"
        + execution("unpack", base, f"<outputDirectory>{escape(str(unpacked))}</outputDirectory>")
        + execution("copy", "".join(jars), "<overWriteReleases>true</overWriteReleases>")
        + "</executions></plugin></plugins></build></project>\n"
    )


def descriptor(name: str, module: dict[str, Any], data: dict[str, Any]) -> str:
    """The text of plugin-descriptor.properties."""
    fields = {
        "description": name,
        "version": data["version"],
        "name": name,
        "classname": module["class"],
        "java.version": data["java"],
        "elasticsearch.version": data["version"],
        "extended.plugins": module.get("extends", ""),
        "has.native.controller": "false",
    }
    return "".join(f"{key}={value}\n" for key, value in fields.items())


def compile_module(source: Path, lib: Path, out: Path, name: str, work: Path) -> None:
    """Compile one Java source against the server's jars into out/NAME.jar."""
    classes = work / f"classes-{name}"
    classes.mkdir()
    subprocess.run(
        ["javac", "--release", "8", "-Xlint:-options", "-cp", f"{lib}/*", "-d", str(classes), str(source)],
        check=True,
    )
    # A jar is a zip; the jar tool is not needed.
    archive = shutil.make_archive(str(out / name), "zip", classes)
    Path(archive).rename(out / f"{name}.jar")


def assemble(modules_file: Path, home: Path, mvn: list[str]) -> None:
    data = json.loads(modules_file.read_text())
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        modules = work / "modules"
        (work / "pom.xml").write_text(pom(data, work / "base", modules))
        subprocess.run([*mvn, "-f", str(work / "pom.xml"), "package"], check=True)
        (top,) = (work / "base").iterdir()  # the archive has one top folder
        shutil.copytree(top, home, symlinks=True, dirs_exist_ok=True)
        for name, module in sorted(data["modules"].items()):
            folder = home / "modules" / name
            if (modules / name).is_dir():
                shutil.copytree(modules / name, folder)
            else:
                folder.mkdir(parents=True)
            (folder / "plugin-descriptor.properties").write_text(descriptor(name, module, data))
            if policy := module.get("policy"):
                (folder / "plugin-security.policy").write_text("\n".join(policy) + "\n")
            if source := module.get("source"):
                compile_module(modules_file.parent / source, home / "lib", folder, name, work)


def main() -> None:
    parser = argparse.ArgumentParser(description="Put together a search engine home from Maven Central.")
    parser.add_argument("modules", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("--mvn", default="mvn -B -q", help="the Maven command (default: %(default)s)")
    args = parser.parse_args()
    args.home.mkdir(parents=True, exist_ok=True)
    assemble(args.modules.resolve(), args.home.resolve(), shlex.split(args.mvn))


if __name__ == "__main__":
    main()
