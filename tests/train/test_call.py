import functools

import pytest

from degu.errors import ConfigError
from degu.train import train_standard_fun
from degu.train.call import call_train_fun, check_arguments


def plain(model, x_train, y_train, validation_data=None, max_epochs=1):
    return model, x_train, y_train, validation_data, max_epochs


def with_seed(model, x_train, y_train, validation_data, *, seed, callbacks=()):
    return seed, callbacks


def anything(*args, **kwargs):
    return kwargs


def call(train_fun, offered=None, asked=None):
    return call_train_fun(train_fun, "model", "x", "y", "valid", offered=offered or {}, asked=asked or {})


def test_offers_are_passed_only_where_they_are_wanted():
    offered = {"seed": 0, "callbacks": ["a"]}
    assert call(plain, offered) == ("model", "x", "y", "valid", 1)
    assert call(with_seed, offered) == (0, ["a"])
    assert call(anything, offered) == offered


def test_what_the_user_asks_for_wins():
    assert call(with_seed, {"seed": 0}, {"seed": 5})[0] == 5
    assert call(plain, asked={"max_epochs": 7})[4] == 7


def test_bound_arguments_of_a_partial_can_be_replaced():
    assert call(functools.partial(plain, max_epochs=3), asked={"max_epochs": 4})[4] == 4
    assert call(functools.partial(plain, max_epochs=3))[4] == 3


@pytest.mark.parametrize("train_fun", [train_standard_fun, functools.partial(train_standard_fun, batch_size=2)])
def test_an_unknown_argument_is_refused_with_the_nearest_name(train_fun):
    with pytest.raises(
        ConfigError, match=r"^train_standard_fun has no argument 'epochs'. Did you mean 'max_epochs'\?$"
    ):
        check_arguments(train_fun, {"epochs": 3})


def test_an_unknown_argument_is_refused_before_the_call():
    def fails(model, x, y, v):
        raise AssertionError

    with pytest.raises(ConfigError, match="fails has no argument 'lr'"):
        call(fails, asked={"lr": 1})


def test_a_function_with_open_keywords_takes_everything():
    check_arguments(anything, {"epochs": 3})
    assert call(anything, asked={"epochs": 3}) == {"epochs": 3}


def test_errors_of_the_function_itself_come_through():
    def broken(model, x, y, v):
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        call(broken)


def test_bound_arguments_are_not_replaced_by_offers_but_callbacks_add_up():
    bound = functools.partial(with_seed, seed=9, callbacks=["mine"])
    assert call(bound, {"seed": 0, "callbacks": ["progress"]}) == (9, ["mine", "progress"])
