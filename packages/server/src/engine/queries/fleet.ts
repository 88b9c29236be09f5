// What only the owner of the installation sees and makes: all projects, owner keys.
// Promises: the one place of commands and questions that acts as `house`; every list is bounded.
// Leaves to others: letting only an owner key in (http).

import type * as wire from "@signalbox/sdk";
import type { Role } from "../../domain/key.ts";
import {
  findAnyProject,
  listAllProjects,
  listOwnerKeys,
  saveOwnerKey,
} from "../../store/house/control.ts";
import { newApiKey } from "../keys.ts";
import type { Parts } from "../parts.ts";
import { keyOf, projectOf } from "./views.ts";

/** A project by its UUID, TypeID-less name included; null when there is none. */
export async function findProject(parts: Parts, idOrName: string): Promise<wire.Project | null> {
  const row = await parts.house.within([], (runner) => findAnyProject(runner, idOrName));
  return row === null ? null : projectOf(row);
}

export async function listProjects(parts: Parts): Promise<wire.Project[]> {
  return (await parts.house.within([], listAllProjects)).map(projectOf);
}

export async function ownerKeys(parts: Parts): Promise<wire.ApiKey[]> {
  return (await parts.house.within([], listOwnerKeys)).map(keyOf);
}

/** Makes an owner key; the answer is the only place that ever holds it. */
export async function createOwnerKey(
  parts: Parts,
  input: { name: string; roles: readonly Role[]; expiresAt: number | null },
): Promise<wire.CreatedKey> {
  const { prefix, key, digest } = newApiKey();
  const { name, roles, expiresAt } = input;
  const row = await parts.house.within([], (runner) =>
    saveOwnerKey(runner, { id: parts.newId(), prefix, name, roles, digest }, expiresAt),
  );
  return { ...keyOf(row), key };
}
