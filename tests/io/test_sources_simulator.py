"""The adapter that drives an unmodified simulator: what it plays and what it reports."""

from __future__ import annotations

import gc
import random
import shutil
from itertools import islice

import numpy as np
import pytest

from marketcam.engine import LimitError, MarketCameraError, Tick
from marketcam.io.sources import SimulatorError, SimulatorSource
from tests.simulators import FAKE_FOLDER, FAKE_NAME, clean_slate, fake_simulator


@pytest.fixture(autouse=True)
def _clean_slate():
    with clean_slate():
        yield


def as_values(tick: Tick):
    arrays = (tick.agent_id, tick.experience, tick.side, tick.price, tick.matches)
    return (tick.t, tick.mid, tick.state, *(array.tolist() for array in arrays))


def test_the_class_is_made_as_it_expects():
    source = fake_simulator(adjust_interval=7)
    assert source._simulator.arguments == {"ticks": 1, "adjust_interval": 7, "MAX_N": None}
    assert source.name == f"simulator {FAKE_NAME}"


def test_calls_come_in_the_simulators_order():
    source = fake_simulator(adjust_interval=2)
    simulator = source._simulator
    players = list(simulator.active_players)
    for _ in range(3):
        source.step()
    decide, learn = ["decide_action"] * 3, ["update_experience"] * 3
    one_tick = ["update_tick", *decide, "sample_matches", *learn, "engine.update"]
    one_tick.append("update_trajectory")
    names = [call[0] for call in simulator.calls]
    assert names == [*one_tick, *one_tick, *one_tick, "adjust_participation"]
    assert [call[1] for call in simulator.calls if call[0] == "update_tick"] == [0, 1, 2]
    assert [call[1] for call in simulator.calls[1:4]] == players


def test_the_state_before_the_update_is_what_players_see():
    source = fake_simulator()
    source.step()
    calls = source._simulator.calls
    seen = {name: [call for call in calls if call[0] == name] for name in {c[0] for c in calls}}
    state = seen["sample_matches"][0][-1]
    first = (state.price_norm, state.volatility, state.liquidity, state.imbalance)
    assert (*first, state.complexity) == (0.5, 0.3, 0.5, 0.5, 0.5)
    assert all(call[-1] is state for call in seen["decide_action"] + seen["update_experience"])
    assert seen["engine.update"][0][1] is state
    after = source._state
    point = [after.price_norm, after.volatility, after.liquidity, after.imbalance]
    assert seen["update_trajectory"][0][1].tolist() == point


def test_ticks_are_what_the_simulator_played():
    source = fake_simulator(seed=5, adjust_interval=3)
    for tick in islice(source, 40):
        calls = source._simulator.calls
        _, actions, _ = next(call for call in calls if call[0] == "sample_matches")
        _, _, n, filled = next(call for call in calls if call[0] == "engine.update")
        learned = [call for call in calls if call[0] == "update_experience"]
        assert n == tick.agent_id.size
        assert tick.price.tolist() == [action.price for action in actions]
        assert tick.side.tolist() == [{"buy": 1, "sell": 2}[action.side] for action in actions]
        assert tick.experience.tolist() == [player.experience_score for _, player, *_ in learned]
        assert tick.mid == np.median(tick.price)
        rows = [next(i for i, a in enumerate(actions) if a is fill) for fill in filled]
        assert tick.matches.tolist() == [[tick.agent_id[row], -1] for row in rows]
        assert [call[2] for call in learned] == [row in rows for row in range(n)]
        state = source._state
        assert tick.state == (
            state.price_norm,
            state.volatility,
            state.liquidity,
            2 * state.imbalance - 1,
        )
        assert as_values(Tick.from_dict(tick.to_dict())) == as_values(tick)
        calls.clear()


def test_the_seed_decides_the_ticks():
    def run(seed):
        return [
            as_values(tick) for tick in islice(fake_simulator(seed=seed, adjust_interval=4), 30)
        ]

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_what_else_is_drawn_changes_nothing_and_is_not_changed():
    def drawn():
        return random.random(), random.gauss(0, 1), np.random.rand(), np.random.standard_normal()  # noqa: NPY002

    def seed_all():
        random.seed(8)
        np.random.seed(8)  # noqa: NPY002 - what others draw from

    alone = [as_values(tick) for tick in islice(fake_simulator(seed=3, adjust_interval=4), 30)]
    seed_all()
    expected = [drawn() for _ in range(31)]
    seed_all()
    source = fake_simulator(seed=3, adjust_interval=4)
    beside, others = [], [drawn()]
    for _ in range(30):
        beside.append(as_values(source.step()))
        others.append(drawn())
    assert beside == alone
    assert others == expected


def test_two_simulators_do_not_disturb_each_other():
    sources = [fake_simulator(seed=seed, adjust_interval=4) for seed in (3, 3, 4)]
    ticks = [[as_values(source.step()) for source in sources] for _ in range(30)]
    assert all(one == same for one, same, _ in ticks)
    assert any(one != other for one, _, other in ticks)


def test_it_draws_what_a_simulator_seeded_in_its_own_process_draws():
    tick = fake_simulator(seed=7).step()
    random.seed(7)
    first = random.uniform(40_000, 60_000)
    assert tick.price[0] == first


def test_a_failed_step_leaves_the_process_its_own_numbers():
    source = fake_simulator()
    source._simulator.active_players[2].decide_action = raising(ZeroDivisionError())
    before = random.getstate()
    with pytest.raises(SimulatorError):
        source.step()
    assert random.getstate() == before


def test_a_module_that_seeds_when_imported_seeds_nobody_else(tmp_path):
    text = (FAKE_FOLDER / "core_system" / "main.py").read_text()
    package = tmp_path / "core_system"
    shutil.copytree(FAKE_FOLDER / "core_system", package)
    (package / "main.py").write_text("import random\nrandom.seed(42)\n" + text)
    before = random.getstate()
    source = SimulatorSource(FAKE_NAME, tmp_path, seed=7)
    assert random.getstate() == before
    tick = source.step()
    random.seed(7)
    assert tick.price[0] == random.uniform(40_000, 60_000)


def test_players_are_numbered_as_objects_whatever_their_ids():
    source = fake_simulator(adjust_interval=1)
    numbers: dict[int, object] = {}
    highest = -1
    for _ in range(200):
        players = list(source._simulator.active_players)
        tick = source.step()
        for number, player in zip(tick.agent_id.tolist(), players, strict=True):
            if number not in numbers:
                assert number == highest + 1
                highest = number
            assert numbers.setdefault(number, player) is player
    ids = [player.id for player in source._simulator.active_players]
    assert len(set(ids)) < len(ids)
    assert highest > len(ids)


def test_a_player_that_is_gone_is_forgotten_and_its_number_not_used_again():
    source = fake_simulator()
    simulator = source._simulator
    new_player = type(simulator.active_players[0])
    objects: set[int] = set()
    for t, tick in enumerate(islice(source, 300)):
        assert tick.agent_id.tolist() == [2 + t, *range(1, 3)] if t else [0, 1, 2]
        objects.add(id(simulator.active_players[0]))
        simulator.calls.clear()  # the fake's notes are what else holds on to its players
        simulator.active_players[0] = new_player(0, simulator.calls)
    gc.collect()
    assert len(objects) < 300  # Python did hand out the same id() again
    assert len(source._numbers._known) <= 3


def test_a_player_that_returns_has_its_number_again():
    source = fake_simulator()
    simulator = source._simulator
    away = simulator.active_players.pop(1)
    assert source.step().agent_id.tolist() == [0, 1]
    simulator.active_players.insert(0, away)
    assert source.step().agent_id.tolist() == [2, 0, 1]
    away = simulator.active_players.pop(0)
    source.step()
    simulator.active_players.append(away)
    assert source.step().agent_id.tolist() == [0, 1, 2]


def test_players_without_hash_or_weak_references_are_told_apart():
    class Slotted:
        __slots__ = ("experience_score",)
        __hash__ = None

        def __init__(self):
            self.experience_score = 0.5

        def __eq__(self, other):
            return True

        def decide_action(self, state):
            return type("Action", (), {"price": 50_000.0, "side": "sell", "qty": 1.0})

        def update_experience(self, matched, state):
            pass

    source = fake_simulator()
    source._simulator.active_players = [Slotted() for _ in range(4)]
    assert source.step().agent_id.tolist() == [0, 1, 2, 3]
    source._simulator.active_players.pop(0)
    assert source.step().agent_id.tolist() == [1, 2, 3]


def test_a_market_without_players_is_an_empty_tick():
    source = fake_simulator()
    simulator = source._simulator
    simulator.active_players.clear()
    simulator.engine.update = lambda state, actions, matched: state
    tick = source.step()
    assert (tick.mid, tick.agent_id.size, tick.matches.shape) == (None, 0, (0, 2))


def test_an_unknown_experience_is_nan():
    source = fake_simulator()
    player = source._simulator.active_players[1]
    player.update_experience = lambda matched, state: setattr(player, "experience_score", None)
    assert np.isnan(source.step().experience).tolist() == [False, True, False]


def test_closing_ends_the_iteration():
    source = fake_simulator()
    ticks = iter(source)
    assert next(ticks).t == 0
    source.close()
    assert list(ticks) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": 2**32}, "seed must be a whole number of 0 to 4294967295"),
        ({"adjust_interval": 0}, "adjust_interval must be a whole number of 1 to "),
    ],
)
def test_settings_out_of_range_are_named(arguments, message):
    with pytest.raises(LimitError) as refusal:
        fake_simulator(**arguments)
    assert str(refusal.value).startswith(message)


# --- what a simulator may do wrong ------------------------------------------------------------


def raising(error: BaseException):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize(
    ("part", "call"),
    [
        ("chaos_factor", "update_tick"),
        ("active_players.1", "decide_action"),
        ("", "sample_matches"),
        ("active_players.0", "update_experience"),
        ("engine", "update"),
        ("structure_metrics", "update_trajectory"),
        ("", "adjust_participation"),
    ],
)
@pytest.mark.parametrize("error", [ZeroDivisionError("by it"), SystemExit(3)])
def test_a_failure_inside_names_the_tick_and_the_call(part, call, error, monkeypatch):
    source = fake_simulator(adjust_interval=1)
    source.step()
    target = source._simulator
    for name in filter(None, part.split(".")):
        target = target[int(name)] if name.isdigit() else getattr(target, name)
    monkeypatch.setattr(target, call, raising(error))
    with pytest.raises(SimulatorError) as failure:
        next(iter(source))
    assert failure.value.__cause__ is error
    assert isinstance(failure.value, MarketCameraError)
    assert f"{FAKE_NAME}: tick 1: " in str(failure.value)
    assert f"{call} failed: {type(error).__name__}: " in str(failure.value)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("side", "hold", "side must be 'buy' or 'sell', got 'hold'"),
        ("side", None, "side must be 'buy' or 'sell', got None"),
        ("price", float("nan"), "price must be a finite number, got nan"),
        ("price", "50000", "price must be a finite number, got '50000'"),
        ("price", True, "price must be a finite number, got True"),
    ],
)
def test_a_bad_quote_names_tick_player_and_field(field, value, rule):
    source = fake_simulator()
    player = source._simulator.active_players[2]
    decide = player.decide_action

    def decide_badly(state):
        action = decide(state)
        setattr(action, field, value)
        return action

    player.decide_action = decide_badly
    with pytest.raises(SimulatorError) as refusal:
        source.step()
    assert str(refusal.value).endswith(f"tick 0, player 2: {rule}")


def test_a_bad_experience_names_tick_player_and_field():
    source = fake_simulator()
    player = source._simulator.active_players[1]
    player.update_experience = lambda matched, state: setattr(player, "experience_score", np.inf)
    with pytest.raises(
        SimulatorError, match="tick 0, player 1: experience_score must be a finite number, got inf"
    ):
        source.step()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([(3, None)], "tick 0: sample_matches must index 3 actions, got 3"),
        ([(-1, None)], "tick 0: sample_matches must index 3 actions, got -1"),
        ([("a", None)], "tick 0: sample_matches failed: TypeError"),
        ([1], "tick 0: sample_matches failed: TypeError"),
        (None, "tick 0: sample_matches failed: TypeError"),
    ],
)
def test_bad_matches_are_refused(answer, message):
    source = fake_simulator()
    source._simulator.sample_matches = lambda actions, state: answer
    with pytest.raises(SimulatorError) as refusal:
        source.step()
    assert message in str(refusal.value)


def test_a_bad_state_is_refused():
    source = fake_simulator()
    update = source._simulator.engine.update

    def update_badly(state, actions, matched):
        after = update(state, actions, matched)
        after.volatility = float("nan")
        return after

    source._simulator.engine.update = update_badly
    with pytest.raises(SimulatorError, match="tick 0: state volatility must be a finite number"):
        source.step()


def test_a_player_listed_twice_is_refused():
    source = fake_simulator()
    source._simulator.active_players.append(source._simulator.active_players[0])
    with pytest.raises(SimulatorError, match=r"must hold each player once, got \[0, 1, 2, 0\]"):
        source.step()
