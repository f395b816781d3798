"""Say to a server what no client says: python -m tests.servers.fuzz WAY COUNT [SEED]

WAY is `service` (headers and bodies), `socket` (the same over ZeroMQ, to a server in a process of
its own), `broker` (to two workers behind one), `openpi` or `groot` (those clients' messages). It
prints the answers that came, and what the server's memory was after each tenth.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import psutil
import zmq

from octoverse import wire
from octoverse.servers.broker import Broker
from octoverse.servers.service import Service
from octoverse.servers.worker import Worker
from tests.servers.fuzz_frontends import through_groot, through_openpi
from tests.servers.fuzzed import LIMITS, Forgetful, Memory, Receiver, kind_of, settle
from tests.servers.survivors import Survivors, is_well, noted
from tests.servers.tampering import Robots, Tamperer

BETWEEN = 100
"""Messages after which it is seen whether the server still answers."""


def through_service(count: int, seed: int, memory: Memory) -> Counter[str]:
    """Give so many messages to a service, and then good ones."""
    robots, receiver = Robots(seed), Receiver()
    receiver.service.start()
    try:
        for sent in range(1, count + 1):
            header, body = robots.message()
            receiver.service.receive(header, memoryview(body), receiver.reply)
            robots.sessions += receiver.welcomes
            receiver.welcomes.clear()
            if sent % BETWEEN == 0 or sent == count:
                settle(receiver.service)
                give_up = time.monotonic() + 60
                while receiver.answered or robots.waits:
                    assert time.monotonic() < give_up, robots.asked
                    while receiver.answered:
                        robots.asked.pop(receiver.answered.pop(), None)
            memory.look(sent)
        for farewell in robots.farewells():
            receiver.service.receive(farewell, memoryview(b""), receiver.reply)
        receiver.act()
    finally:
        receiver.service.stop()
    return receiver.counts


def through_socket(
    count: int, seed: int, socket: "zmq.Socket[bytes]", memory: Memory
) -> Counter[str]:
    """Send so many messages to a server; every now and then it has to answer a good one."""
    robots, counts = Robots(seed), Counter[str]()
    pick = Tamperer(seed).random
    for sent in range(1, count + 1):
        before, frames = set(robots.asked), list(robots.message())
        if pick.random() < 0.02:
            frames = frames * pick.choice((2, 20)) if pick.random() < 0.5 else frames[:1]
            for asked in set(robots.asked) - before:
                del robots.asked[asked]
        socket.send_multipart(frames)
        if sent % BETWEEN == 0 or sent == count:
            ping = wire.Ping(request=2**40 + sent)
            socket.send_multipart([wire.encode(ping), b""])
            waits = True
            while waits or robots.waits:
                reply = wire.read_reply(socket.recv_multipart()[0])
                counts[kind_of(reply)] += 1
                if isinstance(reply, wire.Welcome):
                    robots.sessions.append(reply.session)
                robots.asked.pop(reply.request or 0, None)
                waits &= reply.request != ping.request
        memory.look(sent)
    for farewell in robots.farewells():
        socket.send_multipart([farewell, b""])
    return counts


def through_broker(count: int, seed: int, memory: Memory) -> Counter[str]:
    """Send so many messages to a broker with two workers, and then let a good client come."""
    with Survivors() as survivors, ExitStack() as stack:
        broker = Broker("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", limits=LIMITS).start()
        stack.callback(broker.stop)
        for number in (1, 2):
            worker = Worker(Service(Forgetful(), limits=LIMITS), broker.workers_at).start()
            stack.callback(worker.stop)
            while len(broker.workers) < number:
                time.sleep(0.001)
        counts = through_socket(count, seed, survivors.dealer(broker.address), memory)
        assert is_well(broker.address)
    return counts


IN_THIS_PROCESS: dict[str, Callable[[int, int, Memory], Counter[str]]] = {
    "service": through_service,
    "broker": through_broker,
    "openpi": through_openpi,
    "groot": through_groot,
}


def main(way: str, count: int, seed: int) -> None:
    """Run it long, and tell."""
    began = time.monotonic()
    with Survivors() as survivors, noted() as faults:
        if way == "socket":
            server = survivors.process()
            memory = Memory(server.memory, count)
            socket = survivors.dealer(server.address)
            counts = through_socket(count, seed, socket, memory)
            faults += server.figures()["troubles"]
        else:
            memory = Memory(psutil.Process(), count)
            counts = IN_THIS_PROCESS[way](count, seed, memory)
    print(f"{count} messages by {way}, seed {seed}, in {time.monotonic() - began:.0f} s")
    print(f"answers: {dict(counts.most_common())}")
    print(f"memory [MB]: {memory.megabytes}")
    print(f"the server's own faults: {len(faults)}", *faults[:3], sep="\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 0)
