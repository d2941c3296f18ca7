// The compiler's front: standard JSON on stdin, the compiler's answer on stdout. Called by build.py,
// which gives every source file, so nothing is looked up here.
"use strict";

const solc = require("solc");

const input = require("fs").readFileSync(0, "utf8");
const output = JSON.parse(solc.compile(input));
output.compilerVersion = solc.version();
process.stdout.write(JSON.stringify(output));
