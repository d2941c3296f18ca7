"""
Service: a node with its servers, from start to end.

In:  `NodeConfig`.
Out: an exit code.

Holds: SIGINT and SIGTERM drain; a second one ends at once; a node that cannot go on ends with
       code 3, so that a supervisor sees it.
Not here: the parts (`sequencer.app`), the command line (`sequencer.cli`).
"""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

import uvloop

from sequencer import logs, metrics
from sequencer.app import Node, write_ports
from sequencer.clock import Clock
from sequencer.config import NodeConfig
from sequencer.queries import Queries
from sequencer.rpc.context import Context
from sequencer.rpc.dispatch import Dispatcher
from sequencer.rpc.server import Server
from sequencer.rpc.streams import Streams

EXIT_OK = 0
EXIT_FAILED = 3
log = logs.get("service")


class Service:
    """A node and what serves it."""

    def __init__(self, config: NodeConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.node = Node(config, clock)
        node = self.node
        self._reads = ThreadPoolExecutor(2, "reads")
        self.queries = Queries(node.engine, node.store, node.chain, node.finality)
        context = Context(
            chain_id=node.chain_id,
            deployment=node.deployment,
            queries=self.queries,
            signer=node.signer.address,
            phase=lambda: node.phase,
            l1_block=lambda: node.feed.l1_block,
            lag=node.lag,
            now_ms=node.clock.now_ms,
            in_thread=lambda look: asyncio.get_running_loop().run_in_executor(self._reads, look),
        )
        self.dispatcher = Dispatcher(context, node.admission, self._reads)
        self.streams = Streams(self.queries, self._reads)
        self.server = Server(config, self.dispatcher, self.streams, self._reads, node.checks)
        self._streaming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, then start the node."""
        self.node.on_renewed(self._renew)
        self.node.on_head(self.queries.step_done)
        self.node.on_head(self.streams.step_done)
        await self.server.start()
        self._streaming = asyncio.create_task(self.streams.run(), name="streams")
        await self.node.start()
        write_ports(self.config.ports_file, self.server.rpc_port, self.server.metrics_port)
        log.info(
            "node.listening", rpc_port=self.server.rpc_port, metrics_port=self.server.metrics_port
        )

    async def stop(self) -> None:
        """Drain, answer what was asked, then close what the answers came from."""
        await self.node.drain()
        if self._streaming is not None:
            self._streaming.cancel()
        await self.server.stop()
        await asyncio.to_thread(self._reads.shutdown)
        await self.node.close()

    def _renew(self) -> None:
        """Read from, and write to, what the node has now."""
        node = self.node
        self.queries.attach(node.engine, node.chain, node.finality)
        self.dispatcher.attach(node.admission)
        self.streams.rewound()


async def serve(config: NodeConfig) -> int:
    """Run a node until it is told to stop, or fails; returns the exit code."""
    service = Service(config)
    stop_gc = metrics.watch_gc()
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _on_signal, told)
    await service.start()
    waits = [asyncio.create_task(told.wait()), asyncio.create_task(service.node.wait_failed())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    await service.stop()
    stop_gc()
    return EXIT_FAILED if service.node.failure is not None else EXIT_OK


def _on_signal(told: asyncio.Event) -> None:
    if told.is_set():
        raise SystemExit(130)
    told.set()


def run(config: NodeConfig) -> int:
    """Run a node in this process."""
    logs.configure(config.log_level, config.log_format)
    return uvloop.run(serve(config))
