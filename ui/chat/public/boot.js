// What the page sets before the application starts; in a file of its own because no inline script
// is allowed. Colours are HSL, as the component library wants them.
'use strict';
globalThis.global = globalThis;
window.transports = ['websocket'];

const THEME = 'vite-ui-theme';
if (!localStorage.getItem(THEME)) localStorage.setItem(THEME, 'system');

window.theme = {
  light: {
    '--font-sans': "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
    '--font-mono': "ui-monospace, 'SF Mono', Consolas, 'Liberation Mono', monospace",
    '--background': '200 18% 97%',
    '--foreground': '201 31% 13%',
    '--card': '0 0% 100%',
    '--card-foreground': '201 31% 13%',
    '--popover': '0 0% 100%',
    '--popover-foreground': '201 31% 13%',
    '--primary': '189 81% 23%',
    '--primary-foreground': '0 0% 100%',
    '--secondary': '198 17% 92%',
    '--secondary-foreground': '201 31% 13%',
    '--muted': '198 17% 92%',
    '--muted-foreground': '202 13% 34%',
    '--accent': '198 17% 92%',
    '--accent-foreground': '201 31% 13%',
    '--destructive': '0 72% 40%',
    '--destructive-foreground': '0 0% 100%',
    '--border': '200 16% 82%',
    '--input': '200 16% 82%',
    '--ring': '189 81% 23%',
    '--radius': '0.75rem',
    '--sidebar-background': '198 17% 93%',
    '--sidebar-foreground': '201 31% 17%',
    '--sidebar-primary': '189 81% 23%',
    '--sidebar-primary-foreground': '0 0% 100%',
    '--sidebar-accent': '200 16% 86%',
    '--sidebar-accent-foreground': '201 31% 13%',
    '--sidebar-border': '200 16% 84%',
    '--sidebar-ring': '189 81% 23%'
  },
  dark: {
    '--font-sans': "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
    '--font-mono': "ui-monospace, 'SF Mono', Consolas, 'Liberation Mono', monospace",
    '--background': '198 25% 8%',
    '--foreground': '198 25% 92%',
    '--card': '200 24% 12%',
    '--card-foreground': '198 25% 92%',
    '--popover': '200 24% 12%',
    '--popover-foreground': '198 25% 92%',
    '--primary': '189 54% 63%',
    '--primary-foreground': '189 72% 9%',
    '--secondary': '200 20% 17%',
    '--secondary-foreground': '198 25% 92%',
    '--muted': '200 20% 18%',
    '--muted-foreground': '200 15% 69%',
    '--accent': '200 20% 17%',
    '--accent-foreground': '198 25% 92%',
    '--destructive': '0 72% 67%',
    '--destructive-foreground': '222 45% 9%',
    '--border': '200 18% 25%',
    '--input': '200 18% 25%',
    '--ring': '189 54% 63%',
    '--radius': '0.75rem',
    '--sidebar-background': '198 30% 6%',
    '--sidebar-foreground': '198 25% 88%',
    '--sidebar-primary': '189 54% 63%',
    '--sidebar-primary-foreground': '189 72% 9%',
    '--sidebar-accent': '200 22% 14%',
    '--sidebar-accent-foreground': '198 25% 92%',
    '--sidebar-border': '200 18% 18%',
    '--sidebar-ring': '189 54% 63%'
  }
};
