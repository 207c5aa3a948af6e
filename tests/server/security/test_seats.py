"""Who has a seat, who gives up his own for another, and under which address each is counted."""

from __future__ import annotations

import random
from itertools import count

import pytest

from marketcam.server.security.addresses import Proxies, counted_as
from marketcam.server.security.seats import Seat, Seats

PROXY = "10.0.0.1"


class House:
    """Seats, and which of them were cut, by number."""

    def __init__(self, most: int, most_per_address: int = 0) -> None:
        self.seats = Seats(most, most_per_address, Proxies.of(f"{PROXY}, 10.1.0.0/16"))
        self.cut: list[int] = []
        self.given: list[Seat] = []
        self._numbers = count()

    def take(self, address: str = "192.0.2.1") -> Seat | None:
        number = next(self._numbers)
        seat = self.seats.take(address, lambda: self.cut.append(number))
        if seat is not None:
            self.given.append(seat)
        return seat

    def must_take(self, address: str = "192.0.2.1") -> Seat:
        seat = self.take(address)
        assert seat is not None
        return seat


def test_the_one_that_has_waited_longest_goes() -> None:
    house = House(3)
    first, second, third = (house.must_take() for _ in range(3))
    first.admit()
    third.rest()
    house.must_take()
    assert house.cut == [1]
    first.rest()  # behind the third and the fourth now
    house.must_take()
    house.must_take()
    assert house.cut == [1, 2, 3]
    second.leave()
    assert (len(house.seats), house.seats.waiting) == (3, 3)


def test_where_all_are_busy_the_next_is_refused() -> None:
    house = House(2)
    for _ in range(2):
        house.must_take().admit()
    assert house.take() is None
    assert (house.cut, house.seats.refused) == ([], 1)
    house.given[0].leave()
    house.must_take()


def test_a_seat_is_left_once() -> None:
    house = House(2)
    seat = house.must_take()
    for leave in (seat.leave, seat.leave, seat.rest, seat.admit):
        leave()
    assert (len(house.seats), house.seats.waiting) == (0, 0)
    house.must_take().admit()
    house.must_take().admit()
    assert house.take() is None


def test_an_address_has_only_so_many_and_its_own_go_first() -> None:
    house = House(10, most_per_address=2)
    house.must_take("192.0.2.9")
    house.must_take()
    house.must_take()
    house.must_take()
    assert house.cut == [1]
    for seat in house.given[2:]:
        seat.admit()
    assert house.take() is None
    house.must_take("192.0.2.9")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:", "unix:"),
    ],
)
def test_addresses_of_one_customer_are_one(address: str, name: str) -> None:
    assert counted_as(address) == name


def test_proxies_are_known_by_address_and_network() -> None:
    proxies = Proxies.of("127.0.0.1,::1, 10.0.0.0/8,")
    assert all(each in proxies for each in ("127.0.0.1", "::1", "10.9.8.7", "::ffff:10.0.0.1"))
    assert not any(each in proxies for each in ("127.0.0.2", "::2", "11.0.0.1", "", "localhost"))
    assert "127.0.0.1" not in Proxies.of("")
    for wrong in ("localhost", "10.0.0.0/33", "10.0.0.1/8", "*"):
        with pytest.raises(ValueError, match=wrong.replace("*", r"\*")):
            Proxies.of(wrong)


def test_a_proxy_speaks_for_addresses_that_are_counted() -> None:
    house = House(10, most_per_address=2)
    seats = [house.must_take(PROXY) for _ in range(4)]
    assert seats[0].speak_for("198.51.100.1")
    assert seats[1].speak_for("198.51.100.1")
    assert not seats[2].speak_for("198.51.100.1")
    assert seats[2].speak_for("198.51.100.2")
    assert seats[3].speak_for("10.1.2.3")  # another proxy, whose clients are not known
    seats[0].rest()
    assert seats[3].speak_for("198.51.100.1")
    seats[1].leave()
    assert seats[0].speak_for("198.51.100.1")


def test_one_who_speaks_for_himself_is_counted_once() -> None:
    house = House(10, most_per_address=1)
    seat = house.must_take()
    assert seat.speak_for("198.51.100.1")
    assert house.must_take("198.51.100.1").speak_for("198.51.100.1")


def test_those_behind_a_proxy_that_wait_go_for_others_of_their_address() -> None:
    house = House(10, most_per_address=1)
    assert house.must_take(PROXY).speak_for("198.51.100.1")
    house.must_take("198.51.100.1")
    assert house.cut == [0]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_figures_are_right(seed: int) -> None:
    chance = random.Random(seed)
    house = House(8, most_per_address=3)
    addresses = [PROXY, "192.0.2.1", "192.0.2.2", "2001:db8::1"]
    for _ in range(500):
        seat = chance.choice(house.given) if house.given else None
        match chance.randrange(5):
            case 0 if seat:
                seat.leave()
            case 1 if seat:
                seat.admit()
            case 2 if seat:
                seat.rest()
            case 3 if seat:
                seat.speak_for(chance.choice(addresses))
            case _:
                house.take(chance.choice(addresses))
        assert 0 <= house.seats.waiting <= len(house.seats) <= 8
    for seat in house.given:
        seat.leave()
    assert (len(house.seats), house.seats.waiting) == (0, 0)
    assert not house.seats._addresses
