// The audit trail: who did what, when, to what and why; of a project, and of the installation.
// Promises: newest first; a page never repeats or skips an entry.
// Leaves to others: what is recorded (engine).

import { isRefusal } from "../../domain/refusal.ts";
import { toAuditFilter } from "../mapping/audit.ts";
import { toShortPage } from "../mapping/paging.ts";
import { answer, route } from "../route.ts";
import { auditEntry, auditQuery, installationAuditQuery } from "../schemas/access.ts";
import { pageOf } from "../schemas/page.ts";

const ofProject = route({
  method: "GET",
  url: "/v1/audit",
  operationId: "listAudit",
  summary: "What people did in this project: who, when, what, to what and why",
  tag: "operators",
  auth: "operate",
  scope: "project",
  query: auditQuery,
  responses: { 200: pageOf(auditEntry) },
  handle: async ({ engine, projectId, query }) => {
    const filter = toAuditFilter(query);
    if (isRefusal(filter)) return filter;
    return answer(await engine.audit(projectId, filter, toShortPage(query)));
  },
});

const ofInstallation = route({
  method: "GET",
  url: "/v1/installation/audit",
  operationId: "listInstallationAudit",
  summary: "What happened to the owner's keys and sessions",
  tag: "operators",
  auth: "own",
  scope: "installation",
  query: installationAuditQuery,
  responses: { 200: pageOf(auditEntry) },
  handle: async ({ engine, query }) => {
    const filter = toAuditFilter(query);
    if (isRefusal(filter)) return filter;
    return answer(await engine.audit(null, filter, toShortPage(query)));
  },
});

export const auditRoutes = [ofProject, ofInstallation];
