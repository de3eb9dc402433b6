#!/usr/bin/env node
// Compares the speed of ggufc and llama.cpp on this machine, with the same model file, token ids and number of threads.
//
//   npm install --prefix bench                       once: node-llama-cpp, prebuilt for each instruction set
//   node bench/compare.mjs MODEL.gguf [options]      (--help lists them)
//
// Both engines load the model once and stay loaded. Their runs alternate, and the order changes every round, so that a slow
// minute of the machine affects both. The measured time is that from token ids to the embedding, without tokenizing. A run
// embeds one document. The last row embeds 64 documents of 6 to 300 words: ggufc in one call, llama.cpp one after another,
// because node-llama-cpp has no other interface.
//
// ggufc runs as `ggufc bench MODEL --serve`. It answers each line `run N[,N...]` (one call with a document of N tokens per N,
// BOS and EOS included) with one line of JSON: {"tokens": sum of N, "ms": milliseconds}.

import {execFileSync, spawn} from "node:child_process";
import {existsSync, readFileSync} from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import {fileURLToPath} from "node:url";
import {parseArgs} from "node:util";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const usage = `usage: node bench/compare.mjs MODEL.gguf [options]
  --tokens LIST     lengths of the single documents, default 11,64,512,2048
  --threads N       threads of each engine, default 1
  --runs N          runs per length; default: as many as take 6 s, at least 5 and at most 40
  --activations M   passed to ggufc: i16 (its default), i8 or i7
  --target T        passed to ggufc
  --no-mixed        omit the row of mixed documents
  --only ENGINE     measure ggufc or llama.cpp alone
  --ggufc PATH      default build/release/bin/ggufc
  --json            machine-readable result on stdout instead of the table
  --help`;

function fail(message, status = 1) {
  console.error(`compare: ${message}`);
  process.exit(status);
}

function parseCommandLine() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        tokens: {type: "string", default: "11,64,512,2048"},
        threads: {type: "string", default: "1"},
        runs: {type: "string"},
        activations: {type: "string"},
        target: {type: "string"},
        "no-mixed": {type: "boolean", default: false},
        only: {type: "string"},
        ggufc: {type: "string", default: path.join(root, "build/release/bin/ggufc")},
        json: {type: "boolean", default: false},
        help: {type: "boolean", default: false},
      },
    });
  } catch (error) {
    fail(`${error.message}\n${usage}`, 2);
  }
  const {values, positionals} = parsed;
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const count = (flag, text, least) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) fail(`--${flag}: '${text}' is not an integer of at least ${least}`, 2);
    return value;
  };
  if (positionals.length !== 1) fail(`one model expected, got ${positionals.length}\n${usage}`, 2);
  if (!existsSync(positionals[0])) fail(`${positionals[0]}: no such file`);
  if (values.only !== undefined && !["ggufc", "llama.cpp"].includes(values.only)) {
    fail(`--only: '${values.only}', expected ggufc or llama.cpp`, 2);
  }
  return {
    model: path.resolve(positionals[0]),
    // BOS, EOS and a token between them.
    lengths: values.tokens.split(",").map((text) => count("tokens", text, 3)),
    threads: count("threads", values.threads, 1),
    runs: values.runs === undefined ? undefined : count("runs", values.runs, 1),
    mixed: !values["no-mixed"],
    only: values.only,
    ggufc: values.ggufc,
    ggufcFlags: ["activations", "target"].flatMap((f) => (values[f] === undefined ? [] : [`--${f}`, values[f]])),
    json: values.json,
  };
}

// The high bits of the linear congruential generator of Numerical Recipes. It gives the same documents in every run.
function generator(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

// `length` ids, BOS and EOS included; the others lie above the control and byte tokens.
function makeIds(length, {bos, eos, vocabulary}) {
  const next = generator(length);
  const least = Math.min(1000, vocabulary >> 1);
  const middle = Array.from({length: length - 2}, () => least + next(vocabulary - least));
  return [bos, ...middle, eos];
}

// English takes about 1.25 tokens per word with EmbeddingGemma's vocabulary.
function mixedLengths() {
  const next = generator(64);
  return Array.from({length: 64}, () => Math.round(1.25 * (6 + next(295))) + 2);
}

class Ggufc {
  name = "ggufc";

  static async start({ggufc, model, threads, ggufcFlags}) {
    if (!existsSync(ggufc)) fail(`${ggufc}: not built yet (cmake --preset release && cmake --build build/release)`);
    const self = new Ggufc();
    self.command = ggufc;
    self.flags = ["--threads", String(threads), ...ggufcFlags];
    self.process = spawn(ggufc, ["bench", model, "--serve", ...self.flags], {stdio: ["pipe", "pipe", "inherit"]});
    self.process.on("error", (error) => fail(`${ggufc}: ${error.message}`));
    self.process.on("exit", (code, signal) => {
      if (!self.stopping) fail(`ggufc ended early (${signal ?? `status ${code}`})`);
    });
    self.lines = readline.createInterface({input: self.process.stdout})[Symbol.asyncIterator]();
    return self;
  }

  async run(lengths) {
    this.process.stdin.write(`run ${lengths.join(",")}\n`);
    const {value: line, done} = await this.lines.next();
    if (done) fail("ggufc closed its output");
    let answer;
    try {
      answer = JSON.parse(line);
    } catch {
      fail(`ggufc answered '${line}' to 'run ${lengths}'`);
    }
    const tokens = lengths.reduce((a, b) => a + b, 0);
    if (answer.tokens !== tokens || !(answer.ms >= 0)) fail(`ggufc answered '${line}' to a run of ${tokens} tokens`);
    return answer.ms;
  }

  embed(model, ids) {
    const flags = ["embed", model, "--no-cache", "--ids", ids.join(","), "--format", "jsonl", ...this.flags];
    return JSON.parse(execFileSync(this.command, flags, {encoding: "utf8", maxBuffer: 1 << 26})).embedding;
  }

  async describe() {
    return this.command;
  }

  stop() {
    this.stopping = true;
    this.process.stdin.end();
  }
}

class LlamaCpp {
  name = "llama.cpp";

  static async start({model, threads, lengths}) {
    let library;
    try {
      library = await import("node-llama-cpp");
    } catch (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
      fail("node-llama-cpp is not installed: npm install --prefix bench (Node.js 20 or newer)");
    }
    const self = new LlamaCpp();
    // maxThreads 0 means no limit, so that the number of threads is the requested one.
    const llama = await library.getLlama({gpu: false, build: "never", maxThreads: 0, logLevel: "error"});
    self.model = await llama.loadModel({modelPath: model});
    const {tokens, trainContextSize} = self.model;
    self.vocabulary = {bos: tokens.bos, eos: tokens.eos, vocabulary: self.model.fileInfo.metadata.tokenizer.ggml.tokens.length};
    const longest = Math.max(...lengths);
    if (longest > trainContextSize) fail(`--tokens: ${longest}, but the model's context is ${trainContextSize} tokens`);
    // A batch must hold the longest document, because a bidirectional model cannot be cut into batches. The context has one
    // token more, because node-llama-cpp refuses a document as long as the context.
    const contextSize = Math.max(longest, 512) + 1;
    self.context = await self.model.createEmbeddingContext({contextSize, batchSize: contextSize, threads: {ideal: threads, min: threads}});
    self.documents = new Map();
    return self;
  }

  ids(length) {
    let ids = this.documents.get(length);
    if (ids === undefined) {
      ids = makeIds(length, this.vocabulary);
      const counted = this.context.calculateInputLength([...ids]);
      if (counted !== length) fail(`node-llama-cpp counts ${counted} tokens, expected ${length}: it adds BOS or EOS again`);
      this.documents.set(length, ids);
    }
    return ids;
  }

  async run(lengths) {
    const documents = lengths.map((length) => this.ids(length));
    const start = performance.now();
    for (const ids of documents) await this.context.getEmbeddingFor(ids);
    return performance.now() - start;
  }

  async embed(ids) {
    return (await this.context.getEmbeddingFor(ids)).vector;
  }

  async describe() {
    const version = JSON.parse(readFileSync(path.join(root, "bench/package.json"), "utf8")).dependencies["node-llama-cpp"];
    let backend = "unknown";
    try {
      backend = /libggml-cpu-(\w+)\.so/.exec(readFileSync("/proc/self/maps", "utf8"))?.[1] ?? backend;
    } catch {
      // /proc exists on Linux only; elsewhere the backend stays unknown.
    }
    return `node-llama-cpp ${version}, CPU backend '${backend}'`;
  }

  stop() {}
}

function summarize(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return {median_ms: median, min_ms: sorted[0], max_ms: sorted.at(-1), runs: sorted.length};
}

async function measure(engines, lengths, {runs}) {
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const times = engines.map(() => []);
  let slowest = 0;
  for (const engine of engines) slowest = Math.max(slowest, await engine.run(lengths));  // warms up
  const rounds = runs ?? Math.min(40, Math.max(5, Math.ceil(6000 / slowest)));
  for (let round = 0; round < rounds; ++round) {
    const order = engines.map((_, i) => (round % 2 ? engines.length - 1 - i : i));
    for (const i of order) times[i].push(await engines[i].run(lengths));
  }
  const row = {documents: lengths.length, tokens};
  engines.forEach((engine, i) => (row[engine.name] = summarize(times[i])));
  if (engines.length === 2) {
    row.speedup_median = row["llama.cpp"].median_ms / row.ggufc.median_ms;
    row.speedup_min = row["llama.cpp"].min_ms / row.ggufc.min_ms;
  }
  return row;
}

function cosine(a, b) {
  if (a.length !== b.length) fail(`embeddings of ${a.length} and ${b.length} numbers: not the same model`);
  let dot = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; ++i) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / Math.sqrt(aa * bb);
}

function printTable(result) {
  const ms = (x) => (x < 100 ? x.toFixed(2) : x.toFixed(0));
  const cell = (s) => `${ms(s.median_ms)} (${ms(s.min_ms)} to ${ms(s.max_ms)})`;
  const names = Object.keys(result.engines);
  const header = ["documents", "tokens", "runs", ...names.map((name) => `${name} ms`), ...names.map((name) => `${name} tok/s`)];
  if (names.length === 2) header.push("speedup", "of minima");
  const rows = result.rows.map((row) => {
    const cells = [String(row.documents), String(row.tokens), String(row[names[0]].runs)];
    for (const name of names) cells.push(cell(row[name]));
    for (const name of names) cells.push(((1000 * row.tokens) / row[name].median_ms).toFixed(0));
    if (names.length === 2) cells.push(`${row.speedup_median.toFixed(2)}x`, `${row.speedup_min.toFixed(2)}x`);
    return cells;
  });
  const widths = header.map((text, i) => Math.max(text.length, ...rows.map((cells) => cells[i].length)));
  const line = (cells) => console.log(cells.map((text, i) => text.padStart(widths[i])).join("  "));
  console.log(`${result.cpu}, ${result.threads} thread(s), load average ${result.load_average}`);
  console.log(`model: ${result.model}`);
  for (const [name, what] of Object.entries(result.engines)) console.log(`${name}: ${what}`);
  if (result.cosine !== undefined) console.log(`cosine of their embeddings of the same 64 ids: ${result.cosine.toFixed(6)}`);
  console.log("median (min to max)\n");
  line(header);
  rows.forEach(line);
}

const options = parseCommandLine();
const mixed = options.mixed ? mixedLengths() : [];
const started = [];
if (options.only !== "llama.cpp") started.push(await Ggufc.start(options));
if (options.only !== "ggufc") started.push(await LlamaCpp.start({...options, lengths: [...options.lengths, ...mixed]}));

const result = {
  cpu: os.cpus()[0]?.model ?? "unknown CPU",
  threads: options.threads,
  load_average: Number(os.loadavg()[0].toFixed(2)),
  model: options.model,
  engines: {},
  rows: [],
};
if (started.length === 2) {
  // The times are comparable only if both engines compute the same embedding of the same ids.
  const [ours, theirs] = started;
  const ids = theirs.ids(64);
  result.cosine = cosine(ours.embed(options.model, ids), await theirs.embed(ids));
}
const workloads = [...options.lengths.map((length) => [length]), ...(mixed.length ? [mixed] : [])];
for (const lengths of workloads) {
  if (!options.json) process.stderr.write(`${lengths.length} document(s), ${lengths.reduce((a, b) => a + b, 0)} tokens ...\n`);
  result.rows.push(await measure(started, lengths, options));
}
for (const engine of started) result.engines[engine.name] = await engine.describe();
if (options.json) console.log(JSON.stringify(result, null, 2));
else printTable(result);
for (const engine of started) engine.stop();
process.exit(0);
