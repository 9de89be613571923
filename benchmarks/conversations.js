// Conversations over WebSockets at once, each of which asks something to read every few seconds.
//
// Run by `python -m benchmarks.gateway`, with URL, TOKEN, TALKS, SECONDS and THINK (least and most
// seconds between an answer and the next sentence) in the environment; it prints one JSON object. A latency runs from a sentence sent to the turn's "done".

import { WebSocket } from 'k6/experimental/websockets';
import { Counter, Trend } from 'k6/metrics';

const TALKS = Number(__ENV.TALKS);
const SECONDS = Number(__ENV.SECONDS);
const PATIENCE_SECONDS = 30;
const THINK_SECONDS = JSON.parse(__ENV.THINK);
const SENTENCES = [
  'list the datasets',
  'which models are there?',
  'list the devices',
  'describe tickets',
  'which jobs are running?',
  'show me the last receipts',
  'list the documents',
];

const waited = new Trend('waited', true);
const errors = new Counter('errors');

export const options = {
  scenarios: {
    talks: {
      executor: 'per-vu-iterations',
      vus: TALKS,
      iterations: 1,
      maxDuration: `${SECONDS + PATIENCE_SECONDS + 30}s`,
    },
  },
  summaryTrendStats: ['count', 'med', 'p(95)', 'p(99)', 'max'],
};

export default function () {
  const headers = { Authorization: `Bearer ${__ENV.TOKEN}` };
  const socket = new WebSocket(__ENV.URL, null, { headers });
  const until = Date.now() + SECONDS * 1000;
  let patience = null; // the timer of its answer
  let sent = 0; // when the sentence that waits for its answer was sent; 0 if none does

  function fail(why) {
    errors.add(1);
    console.error(why);
  }

  function think() {
    const [least, most] = THINK_SECONDS;
    setTimeout(ask, (least + Math.random() * (most - least)) * 1000);
  }

  function ask() {
    if (Date.now() > until) {
      socket.close();
      return;
    }
    const text = SENTENCES[Math.floor(Math.random() * SENTENCES.length)];
    const began = Date.now();
    sent = began;
    socket.send(JSON.stringify({ text }));
    patience = setTimeout(() => {
      if (sent === began) {
        fail(`no answer to "${text}" within ${PATIENCE_SECONDS} s`);
        waited.add(PATIENCE_SECONDS * 1000);
        sent = 0;
        socket.close();
      }
    }, PATIENCE_SECONDS * 1000);
  }

  socket.addEventListener('message', (message) => {
    const event = JSON.parse(message.data);
    if (event.kind === 'hello') {
      setTimeout(ask, Math.random() * THINK_SECONDS[1] * 1000);
    } else if (event.kind === 'done' || event.kind === 'error') {
      clearTimeout(patience); // which would keep k6 waiting after the last answer
      waited.add(Date.now() - sent);
      sent = 0;
      if (event.kind === 'error' || event.status !== 'done') {
        fail(message.data);
      }
      think();
    }
  });
  socket.addEventListener('error', (event) => fail(event.error));
  socket.addEventListener('close', () => {
    if (sent) {
      fail('closed before the answer');
      sent = 0;
    }
  });
}

export function handleSummary(data) {
  const found = data.metrics.waited ? data.metrics.waited.values : {};
  const failed = data.metrics.errors ? data.metrics.errors.values.count : 0;
  return { stdout: JSON.stringify({ waited: found, errors: failed }) };
}
