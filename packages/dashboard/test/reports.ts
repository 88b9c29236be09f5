// A listener for reports of broken policy, as an operator would set one up: its address is added to
// the page's policy, and the browser itself sends there what a page's own scripts could not hide.
// Promises: what the server says of its policy is otherwise left as it is; a page without a policy
// is an error.
// Leaves to others: what the page's own listener hears (`stage.ts`).

import type { Page } from "playwright-core";

const LISTENER = "/listener-of-reports";

/** Adds a `report-uri` to every document of the page. What is told there grows in the answer. */
export async function openReports(page: Page): Promise<readonly string[]> {
  const told: string[] = [];
  await page.route("**/*", async (route) => {
    const request = route.request();
    if (request.url().endsWith(LISTENER)) {
      told.push(request.postData() ?? "");
      return route.fulfill({ status: 204 });
    }
    if (request.resourceType() !== "document") return route.fallback();
    const response = await route.fetch();
    const headers = response.headers();
    const policy = headers["content-security-policy"];
    if (policy === undefined) throw new Error("a page without a policy");
    const reporting = { "content-security-policy": `${policy};report-uri ${LISTENER}` };
    await route.fulfill({ response, headers: { ...headers, ...reporting } });
  });
  return told;
}
