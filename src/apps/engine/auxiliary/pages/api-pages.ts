// GET /docs, /redoc, /openapi.json: the pages that FastAPI generates from an API's description. The
// text is FastAPI's (MIT, https://github.com/fastapi/fastapi, fastapi/openapi/docs.py).
import type { Handler, Routes } from '../../http/server.ts';

const html = 'text/html; charset=utf-8';

export const swaggerRoute: Handler = (exchange) => exchange.send(200, html, swaggerPage);
export const redocRoute: Handler = (exchange) => exchange.send(200, html, redocPage);

/**
 * The description of the API on these pages: its paths and methods. vLLM's also has the schemas of
 * all bodies.
 */
export function openapiRoute(routes: () => Routes): Handler {
  return (exchange) => {
    const shown = Object.entries(routes()).filter(([path]) => !hiddenPaths.test(path));
    const paths = shown.map(([path, methods]) => [
      path,
      Object.fromEntries(
        Object.keys(methods).map((method) => [method.toLowerCase(), operationOf(path, method)]),
      ),
    ]);
    const info = { title: 'FastAPI', version: '0.1.0' };
    const description = { openapi: '3.1.0', info, paths: Object.fromEntries(paths) };
    exchange.sendJson(200, JSON.stringify(description));
  };
}

/** These pages, mounts, and routes that vLLM does not have. */
const hiddenPaths = /^\/(docs|redoc|openapi\.json|spillway)|:path\}/;

function operationOf(path: string, method: string): object {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  return {
    summary: `${method} ${path}`,
    ...(parameters.length > 0 && { parameters }),
    responses: { 200: { description: 'Successful Response' } },
  };
}

const swaggerPage = `
    <!DOCTYPE html>
    <html>
    <head>
    <meta name="viewport" content="width=device-width, initial-scale=1.0">
    <link type="text/css" rel="stylesheet" href="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css">
    <link rel="shortcut icon" href="https://fastapi.tiangolo.com/img/favicon.png">
    <title>FastAPI - Swagger UI</title>
    </head>
    <body>
    <div id="swagger-ui">
    </div>
    <script src="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js"></script>
    <!-- \`SwaggerUIBundle\` is now available on the page -->
    <script>
    const ui = SwaggerUIBundle({
        url: '/openapi.json',
    "dom_id": "#swagger-ui",
"layout": "BaseLayout",
"deepLinking": true,
"showExtensions": true,
"showCommonExtensions": true,
oauth2RedirectUrl: window.location.origin + '/docs/oauth2-redirect',
    presets: [
        SwaggerUIBundle.presets.apis,
        SwaggerUIBundle.SwaggerUIStandalonePreset
        ],
    })
    </script>
    </body>
    </html>
    `;

const redocPage = `
    <!DOCTYPE html>
    <html>
    <head>
    <title>FastAPI - ReDoc</title>
    <!-- needed for adaptive design -->
    <meta charset="utf-8"/>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    
    <link href="https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700" rel="stylesheet">
    
    <link rel="shortcut icon" href="https://fastapi.tiangolo.com/img/favicon.png">
    <!--
    ReDoc doesn't change outer page styles
    -->
    <style>
      body {
        margin: 0;
        padding: 0;
      }
    </style>
    </head>
    <body>
    <noscript>
        ReDoc requires Javascript to function. Please enable it to browse the documentation.
    </noscript>
    <redoc spec-url="/openapi.json"></redoc>
    <script src="https://cdn.jsdelivr.net/npm/redoc@2/bundles/redoc.standalone.js"> </script>
    </body>
    </html>
    `;
