"""Deposits on L1, trades and withdraws, with web3.py alone: `python wallet.py devnet.json`."""

import json
import sys
import time
from pathlib import Path

from web3 import Web3
from web3.logs import DISCARD
from web3.middleware import SignAndSendRawMiddlewareBuilder

ARTIFACTS = Path(__file__).parents[2] / "bridge" / "contracts" / "artifacts"
EXCHANGE = Web3.to_checksum_address("0x000000000000000000000000000000004e4f5641")
USD, BTC = 10**6, 10**9  # units of test USD on L1, of quantities on L2

net = json.loads(Path(sys.argv[1]).read_text())
contracts = json.loads(Path(net["deployment"]).read_text())
user = next(row for row in net["keys"] if row["role"] == "user 1")
l1, l2 = (Web3(Web3.HTTPProvider(net[url])) for url in ("l1_url", "url"))
for side in (l1, l2):
    side.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(user["key"]), layer=0)
    side.eth.default_account = user["address"]


def contract(side, name, address):
    abi = json.loads((ARTIFACTS / f"{name}.json").read_text())["abi"]
    return side.eth.contract(Web3.to_checksum_address(address), abi=abi)


def send(side, call):
    return side.eth.wait_for_transaction_receipt(call.transact(), poll_latency=0.1)


token = contract(l1, "TestUSD", contracts["token"])
vault = contract(l1, "Vault", contracts["vault"])
exchange = contract(l2, "IExchange", EXCHANGE)
me = user["address"]

# The story: deposit, see it credited, buy 0.01 BTC, see the position, withdraw, be paid on L1.
before = token.functions.balanceOf(me).call()
send(l1, token.functions.approve(vault.address, 10_000 * USD))
send(l1, vault.functions.deposit(token.address, 10_000 * USD, me, 0))
while not exchange.functions.subaccount(me, 0).call()[0]:
    time.sleep(0.2)
ask_e9 = exchange.functions.bookTop(0).call()[2]
bought = send(l2, exchange.functions.placeOrder(0, 0, True, ask_e9, BTC // 100, 1, 0, 1))
trade = exchange.events.Trade().process_receipt(bought, errors=DISCARD)[0].args
size_e9 = exchange.functions.position(me, 0, 0).call()[0]
out = send(l2, exchange.functions.withdraw(0, token.address, 4_000 * USD, me))
withdrawn = exchange.events.Withdrawn().process_receipt(out, errors=DISCARD)[0].args
while token.functions.balanceOf(me).call() != before - 6_000 * USD:
    time.sleep(0.5)
print(
    json.dumps(
        {
            "traded_e9": trade.qtyE9,
            "price_e9": trade.priceE9,
            "position_e9": size_e9,
            "withdrawn": withdrawn.amount,
            "paid": token.functions.balanceOf(me).call() - before + 10_000 * USD,
        }
    )
)
