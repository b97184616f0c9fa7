"""The domain's schema, as the numbered steps that `queues.database.Database` runs once each."""

from importlib.resources import files


def domain_migrations() -> list[str]:
    folder = files("handlers") / "schema"
    steps = sorted(folder.iterdir(), key=lambda step: int(step.name.partition("_")[0]))
    return [step.read_text(encoding="utf-8") for step in steps]
