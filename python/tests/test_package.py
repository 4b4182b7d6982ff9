import longhand


def test_version_has_three_numbers() -> None:
    assert len([int(part) for part in longhand.__version__.split(".")]) == 3
