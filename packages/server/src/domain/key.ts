// Keys and roles: what a key looks like and what each role may do.
// Promises: one table, role × permission; a route names a permission and nothing else decides.
// Leaves to others: hashing and lookup (`http/auth`), storage (`store/keys`).

/** Roles of a project, from least to most; `owner` is the installation's. */
export const roles = [
  "viewer",
  "submitter",
  "worker",
  "approver",
  "operator",
  "admin",
  "owner",
] as const;
export type Role = (typeof roles)[number];

/** What a route may ask for. Each route names one. */
export const permissions = [
  "read",
  "submit",
  "work",
  "cancel",
  "operate",
  "approve",
  "administer",
  "own",
] as const;
export type Permission = (typeof permissions)[number];

/** What each role may do. `owner` is the installation's: it may act in every project. */
export const rolePermissions: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: ["read"],
  submitter: ["read", "submit", "cancel"],
  worker: ["read", "work"],
  approver: ["read", "approve"],
  operator: ["read", "submit", "cancel", "operate", "approve"],
  admin: ["read", "submit", "work", "cancel", "operate", "approve", "administer"],
  owner: ["read", "submit", "work", "cancel", "operate", "approve", "administer", "own"],
};

/** Whether any of the roles held allows it. */
export function may(held: readonly Role[], permission: Permission): boolean {
  return held.some((role) => rolePermissions[role].includes(permission));
}
