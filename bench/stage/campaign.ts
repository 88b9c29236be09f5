// What a campaign is: a row of promises, the figures that show it, and how one repetition goes.
// Promises: bounded in count and time; each repetition starts from its own random stream.
// Leaves to others: the stage it plays on (stage.ts), the verdict (figures.ts).

import type { FigureKind, Measured } from "./figures.ts";
import type { Register } from "./register.ts";
import type { Server } from "./server.ts";
import type { Stage } from "./stage.ts";

/** Under which step of the plan its evidence is kept. */
export type Step = "step-1" | "step-2" | "step-3" | "step-4" | "step-5";

export type Campaign = {
  /** As on the command line. */
  name: string;
  /** The row of the table of promises that it shows, and the figure asked there. */
  row: string;
  asked: string;
  /** Default: the first for a campaign, the second for a bench. */
  step?: Step;
  /** Programs it cannot do without; where one is missing the quick form is left out, aloud. */
  needs?: readonly string[];
  /** Repetitions unless `--reps` says otherwise, and in the quick form. */
  reps: number;
  quickReps: number;
  /** The whole campaign ends as failed after this many seconds. */
  limitS: number;
  figures: Record<string, FigureKind>;
  /** Before the first repetition: servers and whatever all repetitions share. */
  open: (stage: Stage) => Promise<Play>;
};

/** The opened campaign. */
export type Play = {
  /** One repetition, numbered from 0. */
  repeat: (n: number) => Promise<Measured>;
  /** After the last one: figures over the whole, such as violations of the register. */
  close?: () => Promise<Measured>;
};

/** Nothing of this may happen, ever. */
export const never: FigureKind = { unit: "", exactly: 0 };

/** Figures of every campaign that looks at a register. */
export const sound: Record<string, FigureKind> = { register_violations: never };

/** A server and its register. */
export type House = { stage: Stage; server: Server; register: Register };

/** One server for all repetitions; its whole register is checked after the last one. */
export function inOneHouse(
  repetition: (house: House, n: number) => Promise<Measured>,
): Campaign["open"] {
  return async (stage) => {
    const server = await stage.startServer();
    const register = server.register();
    return {
      repeat: (n) => repetition({ stage, server, register }, n),
      close: async () => {
        const measured = await stage.checkRegister(register);
        await register.close();
        return measured;
      },
    };
  };
}
