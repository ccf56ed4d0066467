/** The client's commands, in the order in which `--help` lists them. */
import { get } from './get-command.ts';
import { ls } from './ls-command.ts';
import { mkdir } from './mkdir-command.ts';
import { mv } from './mv-command.ts';
import { probe } from './probe-command.ts';
import { put } from './put-command.ts';
import { rm } from './rm-command.ts';
import { stat } from './stat-command.ts';
import { sum } from './sum-command.ts';

export const clientCommands = [ls, stat, get, put, rm, mv, mkdir, sum, probe] as const;
