// Drives a server with the official TypeScript client, and prints what it met as one JSON object.
//
//     node client.mjs ADDRESS TOKEN PLAN
//
// PLAN is a JSON list of steps: {"call": tool, "arguments": {…}, "cancel": bool}, {"list": "tools"},
// {"read": address}, {"prompt": name, "arguments": {…}}, {"complete": {…}}. With {"offers": true} as
// its first entry the client offers elicitation, and gives the "answer" beside it.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [address, token, plan] = process.argv.slice(2);
const steps = JSON.parse(plan);
const offers = steps[0]?.offers ? steps.shift() : null;
const asked = [];

const client = new Client(
  { name: "pilothouse-tests", version: "1.0.0" },
  { capabilities: offers ? { elicitation: { form: {}, url: {} } } : {} },
);
if (offers) {
  client.setRequestHandler(ElicitRequestSchema, async (request) => {
    asked.push(request.params);
    return offers.answer ?? { action: "accept" };
  });
}
const headers = token ? { Authorization: `Bearer ${token}` } : {};
const transport = new StreamableHTTPClientTransport(new URL(address), { requestInit: { headers } });

async function step({ call, list, read, prompt, complete, cancel, arguments: given }) {
  if (list === "tools") return (await client.listTools()).tools.map((tool) => tool.name);
  if (list === "resources") return (await client.listResources()).resources.map((r) => r.uri);
  if (list === "prompts") return (await client.listPrompts()).prompts.map((p) => p.name);
  if (read) return await client.readResource({ uri: read });
  if (prompt) return await client.getPrompt({ name: prompt, arguments: given });
  if (complete) return await client.complete(complete);
  const progress = [];
  const stop = new AbortController();
  const options = { onprogress: (told) => progress.push(told), signal: stop.signal };
  if (cancel) setTimeout(() => stop.abort("enough"), 300);
  const answer = await client.callTool({ name: call, arguments: given ?? {} }, undefined, options);
  return { ...answer, progress };
}

const met = [];
try {
  await client.connect(transport);
  for (const wanted of steps) {
    try {
      met.push(await step(wanted));
    } catch (error) {
      met.push({ failed: error.message, code: error.code });
    }
  }
  const server = client.getServerVersion();
  await transport.terminateSession();
  await client.close();
  console.log(JSON.stringify({ server, met, asked }));
} catch (error) {
  console.log(JSON.stringify({ refused: error.message, code: error.code }));
}
