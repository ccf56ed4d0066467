/** `nettool connect`: a careful client that says at which step a conversation failed and what to try next. */
import { parseEndpoint } from '../config/endpoint.ts';
import { duration, toggle } from '../config/kinds.ts';
import { quote } from '../config/problems.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import { type Parsed, parseAddress } from '../inet/address.ts';
import { parseHostName } from '../inet/host-name.ts';
import { findByName } from '../inet/service-names.ts';
import type { Transport } from '../system/listeners.ts';
import { type Conversation, converse, type Outcome, type Step, type StepName } from './careful-client.ts';
import { withCrlf } from './crlf.ts';
import { type Explanation, explanations } from './error-table.ts';
import { labelled, shortTime } from './format.ts';
import { anyText, optionalText } from './kinds.ts';
import { serviceList } from './service.ts';
import { type Answer, operandProblem, type Refusal, refuse, take, type Verb } from './verb.ts';

const settings = {
  timeoutMs: setting(duration(), {
    default: 5_000,
    group: 'Request',
    help: 'longest wait for a connection, a handshake, the next bytes',
  }),
  tls: setting(toggle(), { default: false, group: 'Request', help: 'speak TLS and check the certificate' }),
  udp: setting(toggle(), {
    default: false,
    group: 'Request',
    help: 'send one datagram and wait for one (needs --send)',
  }),
  send: setting(optionalText(anyText('TEXT')), {
    default: undefined,
    group: 'Request',
    help: 'send this text, or standard input for "-", then show what comes back',
  }),
  crlf: setting(toggle(), {
    default: false,
    group: 'Request',
    help: 'end lines with CR LF, and the text with one',
  }),
} as const;

type Config = ConfigOf<typeof settings>;

interface Target {
  readonly host: string;
  /** A number, or the name of a service. */
  readonly port: string;
}

/** Enough for a person and for most protocols; everything is counted. */
const KEPT_BYTES = 64 * 1024;
const SHOWN_CHARACTERS = 4_096;

export const connect: Verb<typeof settings, Target> = {
  name: 'connect',
  describe: 'a careful client: each step timed, a failure explained',
  operands: ['HOST', '[PORT]'],
  settings,
  examples: [
    ['nettool connect localhost 7007', 'does anything listen?'],
    ['nettool connect 127.0.0.1 7007 --send hello --crlf', 'send a line, show what comes back'],
    ['nettool connect example.org https --tls', 'with the handshake'],
    ['nettool connect 127.0.0.1 7007 --udp --send ping', 'one datagram'],
  ],
  epilogue:
    'After --send the sending direction is closed, and what the far end says is read until it closes too. PORT is a ' +
    'number or a service name; HOST:PORT in one word works as well.\n\n' +
    'Exit codes: 0 every step worked, 1 a step failed, 78 bad usage.',
  parseOperands: ([hostText = '', portText], problems) => {
    const endpoint = portText === undefined ? parseEndpoint(hostText) : undefined;
    if (portText === undefined && endpoint === undefined) {
      if (hostText !== '') operandProblem(problems, 'PORT', 'is missing', 'expected connect HOST PORT, or HOST:PORT');
      return { host: hostText, port: '' };
    }
    const host = (endpoint?.host ?? hostText).replace(/^\[(.*)\]$/, '$1');
    const port = endpoint === undefined ? (portText ?? '') : String(endpoint.port);
    return {
      host: take(problems, 'HOST', parseHost(host), 'a host name or an IP address'),
      port: take(problems, 'PORT', parsePort(port), 'a port from 1 to 65535, or the name of a service'),
    };
  },
  answer: async ({ host, port: portText }, config, signal) => {
    const transport: Transport = config.udp ? 'udp' : 'tcp';
    if (config.udp && config.tls) return refuse('--udp --tls', 'are both given', 'choose one');
    if (config.udp && config.send === undefined) {
      return refuse('--udp', 'needs --send', 'without a datagram there is nothing that a UDP peer could answer');
    }
    const port = await portNumber(portText, transport);
    if (typeof port !== 'number') return port;
    const message = messageOf(config);
    const { timeoutMs, tls } = config;
    const conversation: Conversation = {
      host,
      port,
      transport,
      tls,
      timeoutMs,
      message,
      keepBytes: KEPT_BYTES,
      signal,
    };
    return answerFor(conversation, await converse(conversation));
  },
};

function parseHost(text: string): Parsed<string> {
  return parseAddress(text).ok ? { ok: true, value: text } : parseHostName(text);
}

function parsePort(text: string): Parsed<string> {
  const isPort = /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535;
  if (isPort || /^[A-Za-z][A-Za-z0-9_+.-]{0,62}$/.test(text)) return { ok: true, value: text };
  return { ok: false, problem: `${quote(text)} is not a port` };
}

async function portNumber(text: string, transport: Transport): Promise<number | Refusal> {
  if (/^\d+$/.test(text)) return Number(text);
  const { entries, source } = await serviceList();
  const entry = findByName(entries, text, transport);
  return entry?.port ?? refuse('PORT', `${quote(text)} is no ${transport} service of ${source}`, 'give the number');
}

function messageOf({ send, crlf }: Config): AsyncIterable<Uint8Array> | undefined {
  if (send === undefined) return undefined;
  const source: AsyncIterable<Uint8Array> = send === '-' ? process.stdin : single(Buffer.from(send));
  if (!crlf) return source;
  // A text is a line although the shell takes its end away; standard input has its own.
  return withCrlf(source, { endLine: send !== '-' });
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** The answer from how the conversation went. */
export function answerFor(conversation: Omit<Conversation, 'signal' | 'message'>, outcome: Outcome): Answer {
  const { host, port, transport, tls } = conversation;
  const { steps, received, failure } = outcome;
  const text = received === undefined ? undefined : new TextDecoder().decode(received.kept);
  const explanation = failure && explainFailure(failure, transport);
  return {
    report: {
      host,
      port,
      transport,
      tls,
      ok: failure === undefined,
      steps: steps.map(({ step, target = null, durationMs, detail, error = null }) => ({
        step,
        target,
        durationMs: toMicroseconds(durationMs),
        detail,
        error,
      })),
      received:
        received === undefined
          ? null
          : {
              bytes: received.bytes,
              text,
              base64: Buffer.from(received.kept).toString('base64'),
              complete: received.bytes === received.kept.length,
            },
      failure: failure === undefined ? null : { step: failure.step, target: failure.target ?? null, ...explanation },
    },
    text: [
      ...steps.map(stepLine),
      text === undefined || text === '' ? '' : `\n${shownText(text)}`,
      failure === undefined ? '' : `\n${failureText(failure, explanation)}`,
    ].join(''),
    failed: failure !== undefined,
  };
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function stepLine({ step, target, durationMs, detail, error }: Step): string {
  const result = error === undefined ? detail : `${error}: ${explanations.get(error)?.words ?? detail}`;
  const what = [target, result].filter((part) => part !== undefined && part !== '').join('  ');
  return `${step.padEnd(8)}${shortTime(durationMs).padStart(9)}  ${what}`.trimEnd().concat('\n');
}

function shownText(text: string): string {
  const lines = text.replaceAll('\r\n', '\n');
  const shown = lines.length > SHOWN_CHARACTERS ? `${lines.slice(0, SHOWN_CHARACTERS)}\n...` : lines;
  return shown.endsWith('\n') ? shown : `${shown}\n`;
}

const NO_NAME_SERVER = {
  words: 'the name could not be looked up in time',
  cause: 'The name server is down, or a firewall drops the questions to it.',
  mender: 'the administrator',
  next: 'Check /etc/resolv.conf; compare "nettool resolve NAME"; connect by address meanwhile.',
} as const;

/** What an error means at a certain step, where that says more than the error alone. */
const AT_STEP: Readonly<Record<string, Pick<Explanation, 'words' | 'cause' | 'next' | 'mender'>>> = {
  'tcp connect EACCES': {
    words: 'a rule forbids the connection',
    cause: 'A route of this machine ("prohibit") or its firewall refuses to let it out.',
    mender: 'the administrator',
    next: 'Look at the routes and rules: ip route get ADDRESS, nft list ruleset.',
  },
  'tcp resolve ETIMEDOUT': NO_NAME_SERVER,
  'udp resolve ETIMEDOUT': NO_NAME_SERVER,
  'tcp receive ETIMEDOUT': {
    words: 'the far end stays silent',
    cause: 'The connection stands. The far end waits for more (the end of a line, a command), expects TLS, or hangs.',
    mender: 'the far end',
    next: 'Try --crlf, or --tls, or a longer --timeout; look at the log of the far end.',
  },
  'tcp send ETIMEDOUT': {
    words: 'the far end does not read',
    cause: 'Its receive buffer is full: the program at the far end hangs, or reads more slowly than this one sends.',
    mender: 'the far end',
    next: 'Look at the log and the load of the far end; send less, or give a longer --timeout.',
  },
  'tcp tls ETIMEDOUT': {
    words: 'the TLS handshake is not answered',
    cause: 'The connection stands, but the far end waits: most likely the port speaks plain text.',
    mender: 'you',
    next: 'Leave out --tls, or try the TLS port of the service.',
  },
  'tcp tls ECONNRESET': {
    words: 'the far end broke off the TLS handshake',
    cause: 'The port speaks plain text, or the far end accepts no TLS version of ours, or wants a client certificate.',
    mender: 'the far end',
    next: 'Leave out --tls, or look at the log of the far end.',
  },
  'udp receive ETIMEDOUT': {
    words: 'no datagram came back',
    cause:
      'UDP does not say why: the datagram or the reply was lost or dropped by a firewall, or the far end does not answer such a datagram.',
    mender: 'the far end',
    next: 'Try again (loss), then another port of the same host: a refusal there means that the host is reached.',
  },
  'udp receive ECONNREFUSED': {
    words: 'the far end refused the datagram',
    cause: 'The host answered with ICMP "port unreachable": nothing listens on that UDP port.',
    mender: 'the far end',
    next: 'Check the port number and that the server listens on UDP at this address.',
  },
};

function explainFailure({ step, error = 'UNKNOWN', detail }: Step, transport: Transport) {
  // OpenSSL has hundreds of codes of its own for what comes down to one thing.
  const general = error.startsWith('ERR_SSL_') ? 'EPROTO' : error;
  const known = AT_STEP[`${transport} ${step} ${error}`] ?? explanations.get(error) ?? explanations.get(general);
  return {
    code: error,
    words: known?.words ?? detail,
    detail,
    cause: known?.cause ?? null,
    mender: known?.mender ?? null,
    next: known?.next ?? null,
  };
}

/** The steps as a person would say that they failed. */
const FAILED_AT: Readonly<Record<StepName, string>> = {
  resolve: 'looking up the name',
  connect: 'connecting',
  tls: 'the TLS handshake',
  send: 'sending',
  receive: 'receiving',
  close: 'closing',
};

function failureText({ step, target }: Step, failure: ReturnType<typeof explainFailure> | undefined): string {
  return labelled([
    ['failed at', target === undefined ? FAILED_AT[step] : `${FAILED_AT[step]} to ${target}`],
    ['error', `${failure?.words} (${failure?.code}: ${failure?.detail})`],
    ['likely cause', failure?.cause ?? undefined],
    ['who can mend it', failure?.mender ?? undefined],
    ['what to try', failure?.next ?? undefined],
  ]);
}
