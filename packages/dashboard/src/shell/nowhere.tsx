// An address that no screen has.
// Promises: leads back.
// Leaves to others: which screens there are (`screens.tsx`).

import { Page } from "../parts/page.tsx";
import { Empty } from "../parts/quiet.tsx";
import { Go } from "../parts/go.tsx";

export function Nowhere() {
  return (
    <Page title="No such page">
      <Empty title="There is nothing at this address">
        <Go to="/">Go to the fleet</Go>
      </Empty>
    </Page>
  );
}
