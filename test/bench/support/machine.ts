/** What a figure is worth depends on where it was taken. */
import { cpus, release, totalmem, type } from 'node:os';

export interface Machine {
  /** Day of the run, UTC, `YYYY-MM-DD`. */
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
}

export function readMachine(now: Date): Machine {
  const processors = cpus();
  return {
    date: now.toISOString().slice(0, 10),
    cpu: processors[0]?.model.trim() || process.arch,
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    node: process.version,
  };
}

/** One line: `2026-11-20, 2 cores of AMD EPYC, 24 GiB, Linux 6.1.0, Node v26.10.0`. */
export function describeMachine(machine: Machine): string {
  const memory = `${Math.round(machine.memoryBytes / 2 ** 30)} GiB`;
  return `${machine.date}, ${machine.cores} cores of ${machine.cpu}, ${memory}, ${machine.kernel}, Node ${machine.node}`;
}
