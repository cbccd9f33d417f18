"""The examples of docs/reference/audit-api.md, run as they are printed against the real service."""

from service_process import ROOT
from transcripts import run_steps, shape, steps_of

DOCUMENT = ROOT / "docs/reference/audit-api.md"


def test_the_examples_answer_as_printed(demo, tmp_path):
    steps = steps_of(DOCUMENT)
    answers = run_steps(steps, demo.port, tmp_path)
    printed = [(step.command, shape_of(step.printed)) for step in steps if step.printed is not None]
    assert len(printed) >= 12
    found = [
        (step.command, shape_of(answer))
        for step, answer in zip(steps, answers, strict=True)
        if step.printed is not None
    ]
    for (command, said), (_, answered) in zip(printed, found, strict=True):
        assert answered == said, command


def shape_of(text):
    found = shape(text)
    if isinstance(found, dict):
        if found.get("next"):
            found["next"] = "<cursor>"
        for counted in (*found.get("buckets", ()), *found.get("clients", ())):
            counted["active"] = "<as the hour has it>"
    return found
