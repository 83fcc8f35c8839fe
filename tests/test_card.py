"""The model card in a run's folder."""


def test_it_says_what_the_network_is_how_good_it_is_and_what_it_cannot_do(tiny_run):
    card = (tiny_run.folder / "model_card.md").read_text(encoding="utf-8")
    titles = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    assert titles == [
        "What it is",
        "What it learned from",
        "How good it is",
        "What it can't do",
        "Licence",
    ]
    metrics = tiny_run.metrics
    assert f"top-1: {metrics['top1']:.2%}" in card and f"pass it: {metrics['ceiling']:.2%}" in card
    assert "ResNet-50 for articleType" in card and "even years train, odd years test" in card
    assert "It learned from drawings" in card and "began from random weights" in card
    assert f"(temperature {metrics['temperature']:.3f}, calibration error" in card
    assert f"could learn, the error is {metrics['ece']:.3f}" in card
    unseen = tiny_run.per_class.query("train == 0 and test > 0")
    assert f"It never names {len(unseen)} of the classes" in card
    assert f"{unseen['test'].sum()} photos of odd years" in card
