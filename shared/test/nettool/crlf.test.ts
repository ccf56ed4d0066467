import { expect, test } from 'vitest';
import { withCrlf } from '../../src/nettool/crlf.ts';

async function mended(chunks: readonly string[], endLine: boolean): Promise<string> {
  const source = async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  };
  return Buffer.concat(await Array.fromAsync(withCrlf(source(), { endLine }))).toString();
}

test.each([
  ['', '\r\n'],
  ['a', 'a\r\n'],
  ['a\n', 'a\r\n'],
  ['a\nb\r\nc', 'a\r\nb\r\nc\r\n'],
  ['\n\n', '\r\n\r\n'],
  ['a\rb', 'a\rb\r\n'],
  ['\r\r\n', '\r\r\n'],
])('%j becomes %j, however it is cut into chunks', async (text, expected) => {
  for (let cut = 0; cut <= text.length; cut += 1) {
    expect(await mended([text.slice(0, cut), text.slice(cut)], true)).toBe(expected);
  }
});

test('without endLine an unfinished last line stays unfinished', async () => {
  expect(await mended(['a\nb'], false)).toBe('a\r\nb');
});
