"""Which kernels a call launches."""

from __future__ import annotations

from course_lib import cuda

__all__ = ["spy_on_launches"]


def spy_on_launches(monkeypatch) -> list[str]:
    """The templates of the kernels that are launched from here on, one after the other."""
    templates: list[str] = []
    run = cuda.Launch.run

    def spied(launch: cuda.Launch) -> None:
        templates.append(launch.template)
        run(launch)

    monkeypatch.setattr(cuda.Launch, "run", spied)
    return templates
