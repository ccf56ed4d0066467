/** A TCP connection whose far end speaks in lines. */
import { connectionError, connectTcp } from '@small-servers/shared/client/connect';
import type { Endpoint } from '@small-servers/shared/config/endpoint';
import { FramingError } from '@small-servers/shared/framing/errors';
import { LinesDecoder } from '@small-servers/shared/framing/lines';
import type { Line, LineEvents } from './sender.ts';

/** No line of a time server is longer; LIST is not asked for. */
const MAX_LINE_BYTES = 4_096;

/**
 * @param onRead called before the lines of each read, to take the time
 * @throws AppError of `connectTcp`
 */
export async function connectLines(
  endpoint: Endpoint,
  timeoutMs: number,
  { onLine, onClosed, onRead }: LineEvents & { onRead?(): void },
  signal?: AbortSignal,
): Promise<Line> {
  const socket = await connectTcp(endpoint, timeoutMs, signal);
  const decoder = new LinesDecoder({ maxFrameBytes: MAX_LINE_BYTES });
  let failure: Error | undefined;
  socket.on('data', (bytes: Buffer) => {
    onRead?.();
    try {
      for (const line of decoder.push(bytes)) onLine(line.toString('latin1'));
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      failure = new Error('the far end sends no lines of text; is it a time stream?');
      socket.destroy();
    }
  });
  socket.on('error', (error) => {
    failure = connectionError(endpoint, error);
  });
  socket.once('close', () => onClosed(failure));
  return {
    get unsentBytes() {
      return socket.writableLength;
    },
    write: (text) => void socket.write(text),
    end: () => {
      socket.end();
      socket.destroySoon();
    },
  };
}
