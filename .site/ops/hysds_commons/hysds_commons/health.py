"""Which of a service's stores do not answer. All are asked at the same time, so that one silence hides no other."""

import threading
import time


def away(checks, within=3.5):
    """{name: words} of the checks ({name: function}) that raise or do not come back within that many seconds."""
    found = {name: f"no answer within {within} s" for name in checks}

    def ask(name, check):
        try:
            check()
            found.pop(name)
        except Exception as err:
            found[name] = f"{type(err).__name__}: {err}"[:200]

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in checks.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + within
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(found)
