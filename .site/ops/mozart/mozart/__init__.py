"""The job REST API. Settings come from settings.cfg in the folder above this package."""

import os

from flask import Flask

app = Flask(__name__)
app.config.from_pyfile(os.path.join(os.path.dirname(__file__), "..", "settings.cfg"))

from mozart import api  # noqa: E402

app.register_blueprint(api.blueprint)
