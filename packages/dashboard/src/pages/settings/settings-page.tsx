// Settings: who you are here, the project, its keys and sessions; for the owner those above it.
// Promises: what the session may not see is not asked for; each part says what it is.
// Leaves to others: the parts (beside this file), webhooks and health (their own screens).

import { Needs } from "../../parts/act-button.tsx";
import { Page, Section } from "../../parts/page.tsx";
import { useMay } from "../../session.ts";
import { Keys, NewKey } from "./keys.tsx";
import { OwnSession, SignOutHere } from "./own-session.tsx";
import { NewProject, Projects } from "./projects.tsx";
import { ChangeRetention, ProjectFacts } from "./project-facts.tsx";
import { Sessions } from "./sessions.tsx";

export function SettingsPage() {
  const isOwner = useMay("own");
  const isAdmin = useMay("administer");
  return (
    <Page title="Settings and keys">
      <Section title="You" note={<SignOutHere />}>
        <OwnSession />
      </Section>
      <Section title="Project" note={<ChangeRetention />}>
        <ProjectFacts />
      </Section>
      <Section title="Keys" note={isAdmin ? <NewKey /> : null}>
        <Needs permission="administer" what="Looking at keys">
          <Keys of="project" />
        </Needs>
      </Section>
      {isAdmin ? (
        <Section title="Sessions" note="Browsers that are signed in to this project">
          <Sessions of="project" />
        </Section>
      ) : null}
      {isOwner ? (
        <>
          <Section title="The owner's keys" note="They open every project">
            <Keys of="installation" />
          </Section>
          <Section title="The owner's sessions">
            <Sessions of="installation" />
          </Section>
          <Section title="Projects" note={<NewProject />}>
            <Projects />
          </Section>
        </>
      ) : null}
    </Page>
  );
}
