/** The helper thread: prints the segments that it is given, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { createFilter } from './filter.ts';
import type { HelperAnswer, HelperSetup, HelperTask } from './helper-thread.ts';
import { createLineFormat } from './line-format.ts';
import { printChunk } from './printed.ts';
import { queryOf } from './query.ts';
import { readSegment, segmentBuffer } from './segments.ts';

const { question, format: options } = workerData as HelperSetup;
const filter = createFilter(queryOf(question));
const format = createLineFormat(options);
const buffer = segmentBuffer();

parentPort?.on('message', ({ service, segment }: HelperTask) => {
  try {
    const bytes = readSegment(segment, buffer);
    const chunk = { buffer: bytes, start: 0, end: bytes.length, cut: false };
    answer({ piece: printChunk(chunk, service, filter, format, Number.NaN) });
  } catch (error) {
    answer({ error: (error as Error).message });
  }
});

function answer(message: HelperAnswer): void {
  const parts = 'piece' in message ? Object.values(message.piece.printed) : [];
  const transfer = parts.map(({ buffer }) => buffer as ArrayBuffer);
  parentPort?.postMessage(message, transfer);
}

parentPort?.postMessage('ready');
