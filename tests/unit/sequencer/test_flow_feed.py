"""The reader of recorded feeds."""

import gzip
from pathlib import Path

import pytest

from sequencer.flow.feed import DepthSnapshot, DepthUpdate, FeedError, FeedTrade, read_feed

DEPTH = (
    '{"stream":"x@depth@0ms","data":{"e":"depthUpdate","E":1,"T":1,"s":"X","U":5,"u":9,"pu":4,'
    '"b":[["61800.20","0.014"],["9.10","0.000"]],"a":[["61800.30","12.500"]]}}'
)
TRADE = (
    '{"stream":"x@trade","data":{"e":"trade","E":1,"T":1,"s":"X","t":1,"p":"61800.30","q":"0.006",'
    '"X":"MARKET","m":true}}'
)
QUOTE = (
    '{"stream":"x@bookTicker","data":{"e":"bookTicker","u":1,"b":"1.00","B":"1","a":"2","A":"1"}}'
)
SNAPSHOT = '{"lastUpdateId":7,"E":1,"T":1,"bids":[["61800.20","2.909"]],"asks":[]}'


def write(path: Path, lines: list[tuple[int, str]]) -> Path:
    text = "".join(f"{time_ms}000000 {line}\n" for time_ms, line in lines)
    with gzip.open(path, "wt") as file:
        file.write(text)
    return path


def test_records_come_in_order_with_prices_in_ticks_and_sizes_in_lots(tmp_path: Path) -> None:
    path = write(tmp_path / "f.ndjson.gz", [(10, DEPTH), (11, QUOTE), (12, TRADE), (13, SNAPSHOT)])
    assert list(read_feed(path)) == [
        DepthUpdate(10, 5, 9, [(618_002, 14), (91, 0)], [(618_003, 12_500)]),
        FeedTrade(12, 618_003, 6, False),
        DepthSnapshot(13, 7, [(618_002, 2_909)], []),
    ]


def test_a_plain_file_reads_like_a_packed_one(tmp_path: Path) -> None:
    path = tmp_path / "f.ndjson"
    path.write_text(f"10000000 {TRADE}\n")
    assert list(read_feed(path)) == [FeedTrade(10, 618_003, 6, False)]


def test_seconds_take_the_first_part_of_the_feed(tmp_path: Path) -> None:
    path = write(tmp_path / "f.ndjson.gz", [(1_000, TRADE), (3_000, TRADE), (3_001, TRADE)])
    assert [record.time_ms for record in read_feed(path, 2)] == [1_000, 3_000]


@pytest.mark.parametrize(
    "line",
    [
        TRADE.replace("61800.30", "61800.35"),
        TRADE.replace("61800.30", "61800.3"),
        TRADE.replace("0.006", "0.0061"),
        "{",
        "{}",
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "f.ndjson.gz", [(1, TRADE), (2, line)])
    with pytest.raises(FeedError, match=r"f\.ndjson\.gz, line 2"):
        list(read_feed(path))
