"""`python -m bench [--only ROW …] [--quick]`: measures the rows, prints a table, writes bench/results.json."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import msgspec

from app.local.processes import StartRefused
from bench import report
from bench.load import generator
from bench.measures import Prepare, Results, run
from bench.population import FULL, QUICK
from bench.processes import Failed
from bench.rows import fanout, growth, lists, logins, memory, notify, pages, sends, sockets
from bench.stage import QUICKLY, Pace, opened

ROWS: dict[str, Prepare] = {
    "send_64": sends.send_64,
    "send_64_notified": sends.send_64_notified,
    "send_1_p50_ms": sends.send_1_p50_ms,
    "socket_send_64": sockets.socket_send_64,
    "page_50": pages.page_50,
    "list_50": lists.list_50,
    "fanout_1000": fanout.fanout_1000,
    "delivery_p50_ms": sockets.delivery_p50_ms,
    "socket_kb": memory.socket_kb,
    "hello_20": sockets.hello_20,
    "login_storm_p99_ms": logins.login_storm_p99_ms,
    "login_tells": logins.login_tells,
    "growth": growth.growth,
    "notify": notify.notify,
}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    names = [name for name in ROWS if name in options.only or not options.only]
    given = {name: getattr(options, name) for name in ("warm_up", "seconds", "rounds")}
    pace = msgspec.structs.replace(
        QUICKLY if options.quick else Pace(), **{name: value for name, value in given.items() if value is not None}
    )
    rows, failed = [], []
    directory = options.data_dir.absolute() / ("bench-quick" if options.quick else "bench")
    try:
        with opened(directory, QUICK if options.quick else FULL, pace) as stage:
            print(f"Load by {generator(pace.seconds)}; {stage.cores}.", flush=True)
            for name in names:
                print(name, flush=True)
                stage.settle()
                try:
                    with ROWS[name](stage) as plan:
                        rows.extend(run(name, plan, pace, lambda line: print(line, flush=True)))
                except Failed as failure:
                    print(f"  {failure}", file=sys.stderr, flush=True)
                    failed.append(name)
    except StartRefused as refused:
        print(f"bench: {refused}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped; nothing is written", file=sys.stderr)
        return 130
    results = Results(report.machine(), rows)
    print(report.table(results))
    # Figures at another pace are not comparable, so they are written only to a file named with --results.
    written = options.results or (report.RESULTS if pace == Pace() else None)
    if written:
        results = report.write(results, written, whole=not options.only)
    if written == report.RESULTS:
        report.publish(results)
    return 1 if failed else 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", default=[], choices=list(ROWS), help="this row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="small and short: does it work? No figures to believe")
    parser.add_argument("--seconds", type=float, help="of a round (3)")
    parser.add_argument("--warm-up", type=float, help="seconds before the rounds (2)")
    parser.add_argument("--rounds", type=int, help="of which the median counts (5)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("DATA_DIR") or ".data"),
        help="for servers of its own (DATA_DIR)",
    )
    parser.add_argument("--results", type=Path, help="where to write (bench/results.json, and from it docs/)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
