// The reference's mapping kit: a batch of records transformed at a time, each payload to JSON text.
//
// One argument, JSON: {modules, records, mapping, passes, batch}. `records` is a file of one record to a line, parsed before the work begins.

const fs = require("fs");
const path = require("path");
const readline = require("readline");

const job = JSON.parse(process.argv[2]);
// The package does not export it under a name of its own.
const { transformBatch } = require(path.join(job.modules, "@segment/actions-core/dist/cjs/mapping-kit"));

const batches = [];
let batch = [];
for (const line of fs.readFileSync(job.records, "utf8").split("\n")) {
  if (line === "") continue;
  batch.push(JSON.parse(line));
  if (batch.length === job.batch) {
    batches.push(batch);
    batch = [];
  }
}
if (batch.length > 0) batches.push(batch);

function pass(each) {
  let records = 0;
  let characters = 0;
  for (const batch of batches) {
    for (const payload of transformBatch(job.mapping, batch)) {
      const text = JSON.stringify(payload);
      records += 1;
      characters += text.length;
      if (each) each(text);
    }
  }
  return { records, characters };
}

// Not measured: the engine that runs this translates what is used often, and whoever compares wants to see the payloads.
const payloads = [];
pass((text) => payloads.push(text));
fs.writeFileSync(job.payloads, payloads.slice(0, 1000).join("\n") + "\n");
payloads.length = 0;

const used = process.cpuUsage();
console.log(`ready ${(used.user + used.system) / 1e6}`);
const input = readline.createInterface({ input: process.stdin });
input.once("line", () => {
  let records = 0;
  for (let i = 0; i < job.passes; i += 1) records += pass().records;
  console.log(JSON.stringify({ records }));
  input.close();
});
