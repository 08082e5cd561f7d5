"""What a case needs beside Python: certificates by `openssl`, and the shim by `cc`. Made once a run, when first asked for."""
import functools
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = """
[ca]
default_ca = authority
[authority]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {folder}/authority.pem
private_key = {folder}/authority.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


class Missing(Exception):
    """This machine lacks a program that the case needs."""


class Tools:
    """Programs that make things, and the things."""

    # Subject alternative name, and the days that it holds, by the name that a scene says.
    CERTIFICATES = {
        "valid": ("IP:127.0.0.1", "20200101000000Z", "20990101000000Z"),
        "expired": ("IP:127.0.0.1", "20200101000000Z", "20210101000000Z"),
        "wrong name": ("DNS:elsewhere.test", "20200101000000Z", "20990101000000Z"),
        "unknown authority": ("IP:127.0.0.1", "20200101000000Z", "20990101000000Z"),
    }

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    @functools.lru_cache(maxsize=None)
    def shim(self):
        path = self.folder / "shim.so"
        run("cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", path, HERE / "shim.c", "-ldl")
        return path

    def authority(self, name="known"):
        return self.authority_folder(name) / "authority.pem"

    @functools.lru_cache(maxsize=None)
    def authority_folder(self, name):
        folder = self.folder / name
        folder.mkdir()
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        (folder / "config").write_text(CONFIG.format(folder=folder))
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
            "-subj", f"/CN=Fault suite, {name}", "-keyout", folder / "authority.key", "-out", folder / "authority.pem")
        return folder

    @functools.lru_cache(maxsize=None)
    def certificate(self, name):
        """A certificate and its key, as a provider takes them."""
        folder = self.authority_folder("unknown" if name == "unknown authority" else "known")
        subject, begins, ends = self.CERTIFICATES[name]
        stem = folder / name.replace(" ", "-")
        paths = {kind: f"{stem}.{kind}" for kind in ("key", "csr", "ext", "pem")}
        pathlib.Path(paths["ext"]).write_text(f"subjectAltName = {subject}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
            "-keyout", paths["key"], "-out", paths["csr"])
        run("openssl", "ca", "-batch", "-notext", "-config", folder / "config", "-startdate", begins, "-enddate", ends,
            "-extfile", paths["ext"], "-in", paths["csr"], "-out", paths["pem"])
        return {"cert": paths["pem"], "key": paths["key"]}


def run(program, *arguments):
    if not shutil.which(program):
        raise Missing(f"`{program}` is not here")
    done = subprocess.run([program, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{program} failed:\n{done.stderr}"
