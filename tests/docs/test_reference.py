"""The reference pages know every public name and every config key, and each of them is described."""

import importlib


def test_every_public_name_is_found_in_the_sources():
    import public

    for package, names in public.homes().items():
        listed = set(importlib.import_module(package).__all__) - {"blocks", "heads"}
        assert listed == {name for name in names if "." not in name}, package


def test_every_public_name_has_a_docstring():
    import public

    places = [place for names in public.homes().values() for place in names.values()]
    found = [public.sources()[place.removeprefix("degu.")] for place in places]
    assert [part.path for part in found if not part.is_attribute and part.docstring is None] == []


def test_every_package_is_on_the_site_or_named_as_internal():
    import public

    packages = {f"degu.{init.parent.name}" for init in (public.ROOT / "degu").glob("*/__init__.py")}
    silent = {package for package in packages if not getattr(importlib.import_module(package), "__all__", None)}
    assert packages == public.homes().keys() | public.INTERNAL | silent


def test_every_config_key_is_described():
    import settings

    choices = [choice for group, found in settings.groups().items() if group != "experiment" for choice in found]
    missing = [
        f"{choice.group}/{choice.name}.yaml: {key.path}"
        for choice in [settings.read("", "config"), *choices]
        for key in choice.keys
        if not (choice.name == "config" and key.path.startswith("hydra.")) and not settings.meaning(choice, key)
    ]
    assert missing == [], "write a comment behind the key, or describe the argument in its target's docstring"


def test_every_group_and_choice_is_described():
    import config_pages
    import settings

    assert [group for group in settings.groups() if not config_pages.purpose(group)] == []
    choices = [choice for found in settings.groups().values() for choice in found]
    assert [f"{choice.group}={choice.name}" for choice in choices if not config_pages._text(choice)] == []


def test_a_key_without_a_description_is_noticed(tmp_path, monkeypatch):
    import settings

    monkeypatch.setattr(settings, "CONF", tmp_path)
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(
        "# Mine.\n_target_: degu.losses.GaussianNLL\nunit: std\nweird: 1\nnote: 2 # of the file\n"
    )
    choice = settings.read("loss", "mine")
    assert {key.path: bool(settings.meaning(choice, key)) for key in choice.keys} == {
        **{"unit": True, "weird": False, "note": True}
    }


def test_keys_have_the_values_of_their_files():
    import settings

    keys = {key.path: key for key in settings.read("evaluation", "regression").keys}
    assert keys["calibration.fraction"].default == "0.5"
    assert keys["calibration.methods"].default.startswith("[variance_scaling, isotonic")
    assert keys["shift"].default == "degu.evaluation.shifted_sets"
    table = {key.path: key for key in settings.read("data", "crx_retina").keys}
    assert table["where"].default == "{recommended: 1}"
    assert "where.recommended" not in table
