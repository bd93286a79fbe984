"""Which senders go on while there are too many bodies."""

from boostline.container.server.bodies import Bodies


class Sender:
    """Notes whether it may send."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.held = False

    def hold(self) -> None:
        self.held = True

    def go_on(self) -> None:
        self.held = False

    def send(self, size: int) -> None:
        """Send a part, as a connection tells of it."""
        self.bodies.add(size)
        if self.bodies.too_many:
            self.bodies.wait(self)


def senders(count: int) -> tuple[Bodies, list[Sender]]:
    bodies = Bodies(100)
    return bodies, [Sender(bodies) for _ in range(count)]


def test_nobody_waits_within_the_bound() -> None:
    _, all_of_them = senders(4)
    for sender in all_of_them:
        sender.send(25)
    assert not any(sender.held for sender in all_of_them)


def test_one_at_a_time_goes_on_over_the_bound() -> None:
    bodies, (first, second, third) = senders(3)
    first.send(101)
    second.send(10)
    third.send(10)
    assert [first.held, second.held, third.held] == [False, True, True]
    first.send(1_000)  # alone it may be of any size
    bodies.complete(first, 1_101)
    assert [second.held, third.held] == [True, True]
    bodies.answered(1_101)
    assert [second.held, third.held] == [False, False]


def test_what_is_whole_is_answered_before_others_go_on() -> None:
    bodies, (first, second, third) = senders(3)
    first.send(90)
    bodies.complete(first, 90)
    second.send(110)
    third.send(110)
    assert [second.held, third.held] == [True, True]
    bodies.answered(90)
    assert [second.held, third.held] == [False, True]
    bodies.complete(second, 110)
    bodies.answered(110)
    assert not third.held


def test_one_who_leaves_lets_the_next_go_on() -> None:
    bodies, (first, second, third) = senders(3)
    first.send(101)
    second.send(200)
    third.send(300)
    bodies.drop(first, 101)
    assert [second.held, third.held] == [False, True]
    bodies.drop(third, 300)
    bodies.drop(second, 200)
    assert not bodies.too_many
